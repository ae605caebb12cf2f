/** The roots of one backend: each is placed at what its path leads to, and its tree grows from there. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import type { Scope } from "../rule/rule.ts";
import type { Backend } from "./backend.ts";
import type { Directories } from "./directories.ts";
import type { FilesystemScope } from "./filesystem-scope.ts";
import type { Formers } from "./formers.ts";
import { mountsBelow } from "./mount-paths.ts";
import { type OwnOutputs, statusOrNull } from "./own-outputs.ts";
import { type FoundRoot, type RootFound, RootMarks } from "./root-marks.ts";
import type { RootMounts } from "./root-mounts.ts";
import type { RootReports } from "./root-reports.ts";
import { addNode, Node, type Root } from "./tree.ts";
import { exclusionsOf, follows, marksFilesystem } from "./want.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** What is wanted of a root. */
export interface RootWants extends Pick<Root, "top" | "below" | "belowHidden" | "isStrict"> {
  /** Absent: "tree". */
  readonly scope?: Scope;
  /** It was not there before: what is in it came with it. */
  readonly isNew?: boolean;
}

export interface RootsOptions {
  readonly directories: Directories;
  readonly files: WatchedFiles;
  readonly formers: Formers;
  readonly mounts: RootMounts;
  readonly reports: RootReports;
  /** Where filesystems are watched as a whole; null where that can't be. */
  readonly scope: FilesystemScope | null;
  readonly ownOutputs: OwnOutputs;
  /** The directory of a root is new, and watched since a moment ago: what is in it has to be told. */
  readonly onNew: (node: Node) => void;
  readonly onFound?: RootFound;
}

export class Roots {
  readonly marks: RootMarks;
  readonly #backend: Backend;
  readonly #roots = new Map<string, Root>();
  readonly #directories: Directories;
  readonly #files: WatchedFiles;
  readonly #formers: Formers;
  readonly #mounts: RootMounts;
  readonly #reports: RootReports;
  readonly #scope: FilesystemScope | null;
  readonly #ownOutputs: OwnOutputs;
  readonly #onNew: (node: Node) => void;

  constructor(backend: Backend, options: RootsOptions) {
    const { directories, files, formers, mounts, reports, scope, ownOutputs, onNew } = options;
    this.marks = new RootMarks(backend, options);
    this.#backend = backend;
    this.#directories = directories;
    this.#files = files;
    this.#formers = formers;
    this.#mounts = mounts;
    this.#reports = reports;
    this.#scope = scope;
    this.#ownOutputs = ownOutputs;
    this.#onNew = onNew;
  }

  get size(): number {
    return this.#roots.size;
  }

  /** @param key the path, one char for one byte */
  get(key: string): Root | undefined {
    return this.#roots.get(key);
  }

  values(): IterableIterator<Root> {
    return this.#roots.values();
  }

  /** Watch a path, or change what is wanted of one that is watched. @throws {SyscallError} about the path */
  set(path: Uint8Array, wants: RootWants): Root {
    const known = this.#roots.get(latin1(path));
    if (known !== undefined) {
      this.#change(known, wants);
      return known;
    }
    const { namesSubdirectories } = this.#backend;
    const noticesNames = !this.#ownOutputs.isEmpty;
    const { isNew = false, scope = "tree", ...interests } = wants;
    const root: Root = { path, scope, ...interests, node: null, namesSubdirectories, noticesNames };
    try {
      this.place(root, isNew);
    } catch (error) {
      this.#files.forget(root);
      throw error;
    }
    this.#roots.set(latin1(path), root);
    return root;
  }

  remove(root: Root): void {
    this.#roots.delete(latin1(root.path));
    this.#files.forget(root);
    this.#formers.forget(root);
    this.drop(root);
  }

  /** Nothing that is wanted is at its path: it stays a root, and is placed again when something is. */
  drop(root: Root): void {
    if (root.node === null) return;
    const { mark } = root.node;
    this.#directories.places.drop(root.node);
    root.node = null;
    this.#scope?.remove(root, mark.identity);
  }

  /** Watch what is at its path. @param isNew it has come there by now. @throws {SyscallError} about the path */
  place(root: Root, isNew = false): void {
    this.put(root, this.marks.mark(root, isNew), { isNew });
  }

  /** The same, of what is marked already. @throws {SyscallError} if its filesystem cannot be watched */
  put(
    root: Root,
    { mark, inode, ownOutputs }: FoundRoot,
    { isNew }: { readonly isNew: boolean },
  ): void {
    const node = new Node(root, mark, { parent: null, name: root.path });
    node.ownOutputs = ownOutputs;
    node.inode = inode;
    addNode(mark, node);
    root.node = node;
    this.#mounts.watched(root);
    this.#formers.isBack(root, mark);
    this.#watchFilesystem(root);
    if (mark.isDirectory && marksFilesystem(root))
      this.#reports.sayMountedBelow(root, mountsBelow(root));
    this.#reports.isBack(root);
    if (!mark.isDirectory) return;
    if (marksFilesystem(root) && !isNew) return;
    if (follows(root)) this.#directories.add(node, { isNew });
    else if (isNew) this.#onNew(node);
  }

  /** @throws {SyscallError} if that can't be: then it is not watched at all */
  #watchFilesystem(root: Root): void {
    try {
      this.#scope?.set(root);
    } catch (error) {
      this.drop(root);
      throw error;
    }
  }

  #change(root: Root, wants: RootWants): void {
    const { top, below, belowHidden, isStrict, scope = "tree", isNew = false } = wants;
    const before = reachOf(root);
    root.isStrict = isStrict;
    const exclusions = exclusionsOf(root);
    root.top = top;
    root.below = below;
    root.belowHidden = belowHidden;
    root.scope = scope;
    // What else comes to the path of a file that is followed has a record.
    if (isNew !== true || this.#files.get(root) === null) this.#dropIfReplaced(root);
    if (root.node === null) return this.place(root, isNew);
    const changes = reachOf(root) !== before;
    this.#scope?.set(root);
    if (changes) this.#directories.forgetBelow(root.node);
    this.#directories.marks.refreshBelow(root.node);
    if (marksFilesystem(root))
      return void (exclusionsOf(root) !== exclusions && this.#directories.reconsider(root.node));
    if (changes && root.node.isDirectory && follows(root))
      this.#directories.add(root.node, { isNew: false });
    else if (exclusionsOf(root) !== exclusions) this.#directories.reconsider(root.node);
  }

  /** A reload resolves every path anew: a symbolic link may lead elsewhere by now. */
  #dropIfReplaced(root: Root): void {
    if (root.node === null) return;
    if (statusOrNull(cString(root.path))?.inode === root.node.inode) return;
    this.drop(root);
  }
}

/** On which directories below a root there are marks: when it changes, they are looked for anew. */
function reachOf(root: Root): string {
  return `${follows(root)} ${root.below !== null} ${root.belowHidden !== null} ${root.scope}`;
}
