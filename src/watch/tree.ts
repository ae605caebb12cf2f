/** The places that are watched, as a tree: a directory's rename is one change, whatever is below it. */
import { bytesEqual, cString, latin1 } from "../../ffi/bytes.ts";
import { type PathPrefix, pathPrefix } from "../output/json-text.ts";
import type { Interests } from "../rule/matcher.ts";

const slash = 0x2f;
const dot = 0x2e;

/** A path of the configuration on one backend, with all the rules that name it. */
export interface Root {
  /** As configured, absolute. */
  readonly path: Uint8Array;
  /** What rules want of the path itself and, if it is a directory, of what is in it. */
  top: Interests;
  /** What recursive rules want of the directories below; null if no rule is recursive. */
  below: Interests | null;
  /** The same in and below a directory whose name starts with a dot. */
  belowHidden: Interests | null;
  /** All its rules name the backend: no other takes its place at a limit. */
  isStrict: boolean;
  /** Null while the path cannot be watched. */
  node: Node | null;
  /** `Backend.namesSubdirectories` of its backend. */
  readonly namesSubdirectories: boolean;
  /** Whether new names in its directories may be those of facron's own output. */
  readonly noticesNames: boolean;
}

/** A watched inode, as the kernel knows it. */
export interface Mark {
  readonly isDirectory: boolean;
  /** Where the inode is. Almost always one place. */
  readonly nodes: Node[];
  /** What the kernel was asked, in its own bits. */
  mask: number;
}

let lastNodeId = 0;

/** A place with a kernel mark. One inode may be in several places: hard links, bind mounts, symlinks. */
export class Node {
  readonly id = ++lastNodeId;
  readonly root: Root;
  readonly isDirectory: boolean;
  readonly mark: Mark;
  parent: Node | null;
  /** Which file it is, as `FileStatus.inode`. */
  inode = "";
  /** Records up to this position (`Backend.position`) are about another directory of that name. */
  since = 0;
  /** Its name in `parent`; the whole path for a root. */
  name: Uint8Array;
  /** Directories below that have marks too, by `latin1` of their name. */
  children: Map<string, Node> | null = null;
  /** Names in this directory under which facron's own output lies: their events are dropped. */
  ownOutputs: Uint8Array[] | null = null;
  #isHidden: boolean | null = null;
  #prefix: PathPrefix | null = null;
  #self: PathPrefix | null = null;

  constructor(
    root: Root,
    mark: Mark,
    { parent, name, isDirectory }: { parent: Node | null; name: Uint8Array; isDirectory: boolean },
  ) {
    this.root = root;
    this.mark = mark;
    this.parent = parent;
    this.name = name;
    this.isDirectory = isDirectory;
  }

  /** What rules want here; null if the place is only known by name. */
  get interests(): Interests | null {
    if (this.parent === null) return this.root.top;
    const { below, belowHidden } = this.root;
    return below !== belowHidden && this.isHidden ? belowHidden : below;
  }

  /** Whether its name, or that of a directory between it and the root, starts with a dot. */
  get isHidden(): boolean {
    return (this.#isHidden ??=
      this.parent !== null && (this.name[0] === dot || this.parent.isHidden));
  }

  /** What a name in this directory is put behind. */
  get prefix(): PathPrefix {
    return (this.#prefix ??= pathPrefix(withSlash(this.path)));
  }

  /** The place itself. */
  get self(): PathPrefix {
    return (this.#self ??= pathPrefix(this.path));
  }

  /** Its path now. */
  get path(): Uint8Array {
    return this.parent === null ? this.name : joined(this.parent, this.name);
  }

  /** Take a place below another directory, or under another name; paths below follow. */
  moveTo(parent: Node, name: Uint8Array): void {
    this.detach();
    this.parent = parent;
    this.name = name;
    (parent.children ??= new Map()).set(latin1(name), this);
    this.#forgetPaths();
  }

  /** Leave the parent's list; `parent` still says where it was. */
  detach(): void {
    const siblings = this.parent?.children;
    const key = latin1(this.name);
    if (siblings?.get(key) === this) siblings.delete(key);
  }

  child(name: Uint8Array): Node | null {
    return this.children?.get(latin1(name)) ?? null;
  }

  #forgetPaths(): void {
    this.#isHidden = null;
    this.#prefix = null;
    this.#self = null;
    if (this.children !== null) for (const child of this.children.values()) child.#forgetPaths();
  }
}

/** A copy: the places may come and go while they are looked at. */
export function childrenOf(node: Node): Node[] {
  return node.children === null ? [] : [...node.children.values()];
}

/** The path of `name` in `directory`. */
export function joined(directory: Node, name: Uint8Array): Uint8Array {
  const prefix = directory.prefix.raw;
  const path = new Uint8Array(prefix.length + name.length);
  path.set(prefix);
  path.set(name, prefix.length);
  return path;
}

/** The same with the NUL that a system call needs. */
export function pathForCall(node: Node): Uint8Array {
  return cString(node.path);
}

/** Whether `name` in `node` is facron's own output. */
export function isOwnOutput(node: Node, bytes: Uint8Array, start: number, end: number): boolean {
  const names = node.ownOutputs;
  if (names === null) return false;
  const name = bytes.subarray(start, end);
  return names.some((own) => bytesEqual(own, name));
}

function withSlash(path: Uint8Array): Uint8Array {
  if (path.at(-1) === slash) return path;
  const out = new Uint8Array(path.length + 1);
  out.set(path);
  out[path.length] = slash;
  return out;
}
