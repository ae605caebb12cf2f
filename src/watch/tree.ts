/** The places that are watched, as a tree: a directory's rename is one change, whatever is below it. */
import { bytesEqual, cString, latin1 } from "../../ffi/bytes.ts";
import { type PathPrefix, pathPrefix } from "../output/json-text.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Scope } from "../rule/rule.ts";
import type { LeadingNames } from "./leading-names.ts";

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
  /** How its directories are watched, if it is recursive. */
  scope: Scope;
  /** All its rules name the backend: no other takes its place at a limit. */
  isStrict: boolean;
  /** Null while the path cannot be watched. */
  node: Node | null;
  /** `Backend.namesSubdirectories` of its backend. */
  readonly namesSubdirectories: boolean;
  /** Whether new names in its directories may be those of facron's own output. */
  readonly noticesNames: boolean;
}

/** Where in the path of something below a root the part begins that is not the root's. */
export function pathBelow({ path }: Root): number {
  return path.at(-1) === slash ? path.length : path.length + 1;
}

/** A watched inode, as the kernel knows it. */
export interface Mark {
  readonly isDirectory: boolean;
  /** The file handle by which records name it, and what is in it; null where they do not. */
  readonly identity: Uint8Array | null;
  /** Where the inode is. Almost always one place. A change makes another list. */
  nodes: readonly Node[];
  /** Of a directory: the names in it that lead to watched files; null if there are none, as almost always. */
  names: LeadingNames | null;
  /** What the kernel was asked, in its own bits. */
  mask: number;
}

/** Where a look has found a directory. */
export interface Sighting {
  readonly parent: Node;
  readonly name: Uint8Array;
  /** `Backend.end` just before: records up to there are about what was before. */
  readonly at: number;
}

/**
 * "outlived": another directory has its name by now, as a look has found, and its own leaving is still
 * queued; "leaves next": the next record of the name is about it, and not about the other; "deleted": given
 * up because it was deleted, so it never was anywhere else, and what happened in it did happen here;
 * "replaced": a file that had the path of a root until another one got it, of which only the end is told.
 */
type Standing = "latest" | "outlived" | "leaves next" | "deleted" | "replaced";

interface Known {
  isHidden: boolean | null;
  prefix: PathPrefix | null;
  self: PathPrefix | null;
}

let lastNodeId = 0;

/** A place with a kernel mark. One inode may be in several places: hard links, bind mounts, symlinks. */
export class Node {
  readonly id = ++lastNodeId;
  readonly root: Root;
  /** That of a directory of which only the name is known yet has no places. */
  mark: Mark;
  parent: Node | null;
  /** Of a root: which file it is, as `FileStatus.inode`. */
  inode = "";
  /**
   * Records of its name up to this position (`Backend.position`) say nothing new: it was found here by
   * a look, which is ahead of the records that are still queued.
   */
  since = 0;
  /** A look has found it elsewhere than the records that are read by now say. */
  seen: Sighting | null = null;
  standing: Standing = "latest";
  /** Its name in `parent`; the whole path for a root. */
  name: Uint8Array;
  /** Directories below that are in the tree too. */
  children: Map<string | number, Node> | null = null;
  /** Names in this directory of those that are closed to us, one char for one byte; null for the many without. */
  closed: Set<string> | null = null;
  /** Names in this directory under which facron's own output lies: their events are dropped. */
  ownOutputs: Uint8Array[] | null = null;
  /** What follows from the names on the way to it: null for the many of which nobody has asked. */
  #known: Known | null = null;

  constructor(root: Root, mark: Mark, { parent, name }: { parent: Node | null; name: Uint8Array }) {
    this.root = root;
    this.mark = mark;
    this.parent = parent;
    this.name = name;
  }

  get isDirectory(): boolean {
    return this.mark.isDirectory;
  }

  /** Another directory has its name by now. */
  get isOutlived(): boolean {
    return this.standing === "outlived" || this.standing === "leaves next";
  }

  /** What rules want here; null if the place is only known by name. */
  get interests(): Interests | null {
    if (this.parent === null) return this.root.top;
    const { below, belowHidden } = this.root;
    return below !== belowHidden && this.isHidden ? belowHidden : below;
  }

  /** Whether its name, or that of a directory between it and the root, starts with a dot. */
  get isHidden(): boolean {
    return (this.#knows.isHidden ??=
      this.parent !== null && (this.name[0] === dot || this.parent.isHidden));
  }

  /** What a name in this directory is put behind. */
  get prefix(): PathPrefix {
    return (this.#knows.prefix ??= pathPrefix(withSlash(this.path)));
  }

  /** The place itself. */
  get self(): PathPrefix {
    return (this.#knows.self ??= pathPrefix(this.path));
  }

  /** Its path now. */
  get path(): Uint8Array {
    return this.parent === null ? this.name : joined(this.parent, this.name);
  }

  /** Take a place below another directory, or under another name; paths below follow. */
  moveTo(parent: Node, name: Uint8Array, { isOutlived = false } = {}): void {
    this.detach();
    this.parent = parent;
    this.name = name;
    this.standing = isOutlived ? "outlived" : "latest";
    this.attach();
    this.#forgetPaths();
  }

  /** Enter the parent's list. */
  attach(): void {
    (this.parent!.children ??= new Map()).set(this.#key, this);
  }

  /** Leave the parent's list; `parent` still says where it was. */
  detach(): void {
    const siblings = this.parent?.children ?? null;
    if (siblings !== null && siblings.get(this.#key) === this) siblings.delete(this.#key);
  }

  /** Whether it is in the parent's list. */
  get isAttached(): boolean {
    return this.parent?.children?.get(this.#key) === this;
  }

  /**
   * The directory that a record up to `position` means by a name in this one. Only where records say
   * names and no handles.
   */
  child(name: Uint8Array, position: number): Node | null {
    const key = latin1(name);
    const latest = this.children?.get(key) ?? null;
    const older = this.children?.get(outlivedKey(key)) ?? null;
    const isOldNews = latest !== null && position <= latest.since;
    return isOldNews || older?.standing === "leaves next" ? older : latest;
  }

  /** Another directory was found under its name. */
  outlive(): void {
    this.detach();
    this.standing = "outlived";
    this.attach();
  }

  /** The directory that has a name in this one now, as far as it is known. */
  latestChild(name: Uint8Array): Node | null {
    return this.children?.get(latin1(name)) ?? null;
  }

  /**
   * Records with handles may tell of two directories that had one name, one after the other, when a look
   * has found the second already: it is the handles that keep them apart.
   */
  get #key(): string | number {
    if (this.parent!.mark.identity !== null) return this.id;
    const key = latin1(this.name);
    return this.isOutlived ? outlivedKey(key) : key;
  }

  get #knows(): Known {
    return (this.#known ??= { isHidden: null, prefix: null, self: null });
  }

  #forgetPaths(): void {
    this.#known = null;
    if (this.children !== null) for (const child of this.children.values()) child.#forgetPaths();
  }

  /** For one that is in no list, or below such: nobody told it of moves above. */
  refreshPath(): void {
    for (let at: Node | null = this; at !== null; at = at.parent)
      if (at.parent !== null && !at.isAttached) at.#forgetPaths();
  }
}

/** No name has a slash. */
function outlivedKey(key: string): string {
  return `${key}/`;
}

/** Those of a mark that has no place yet. */
export const noNodes: readonly Node[] = [];

/** The inode of a mark is at this place too. */
export function addNode(mark: Mark, node: Node): void {
  mark.nodes = mark.nodes.length === 0 ? [node] : [...mark.nodes, node];
}

/** Whether a place is not given up. */
export function isInTree(node: Node): boolean {
  return node.mark.nodes.includes(node);
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

/** Whether something of that name in a directory is below one whose name starts with a dot, or is one. */
export function isHiddenIn(parent: Node, name: Uint8Array): boolean {
  return name[0] === dot || parent.isHidden;
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
