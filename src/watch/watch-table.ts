/** The roots, places and marks of one backend, kept true while directories come, go and are renamed. */
import { entryEvents, eventBits } from "../event.ts";
import { cString, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_UNKNOWN, fileStatus, listDirectory, S_IFDIR } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import type { Interests } from "../rule/matcher.ts";
import type { Backend, GoneReason, MoveKey } from "./backend.ts";
import type { Mark } from "./tree.ts";
import { cannotWatchBelow, causeOf } from "./explain.ts";
import { type OwnOutputs, statusOrNull } from "./own-outputs.ts";
import { joined, Node, pathForCall, type Root } from "./tree.ts";
import { follows, wantAt, wantOf } from "./want.ts";

/** Events by which a directory enters the place where its name is. */
const arrivals = eventBits.create | eventBits.moved_to;

/** What the table tells of things that no kernel record says. */
export interface TableObserver {
  /** The directory is new: what is in it already has to be found. Called before its entries are listed. */
  newDirectory(node: Node, table: WatchTable): void;
  /** Another file is at the path of a root than before. */
  rootReplaced(root: Root): void;
}

export class WatchTable {
  readonly backend: Backend;
  readonly roots = new Map<string, Root>();
  readonly #log: Log;
  readonly #ownOutputs: OwnOutputs;
  readonly #observer: TableObserver;
  /** Directories whose sub-directories are still to be found. */
  #toWalk: { readonly node: Node; readonly isNew: boolean }[] = [];
  /** Directories that were renamed away and whose new place is not known yet. */
  readonly #away = new Map<MoveKey, Node[]>();
  /** Roots of which the log says that they are no longer there. */
  readonly #gone = new WeakSet<Root>();

  constructor(
    backend: Backend,
    { log, ownOutputs, observer }: { log: Log; ownOutputs: OwnOutputs; observer: TableObserver },
  ) {
    this.backend = backend;
    this.#log = log;
    this.#ownOutputs = ownOutputs;
    this.#observer = observer;
  }

  get isWalking(): boolean {
    return this.#toWalk.length > 0;
  }

  get hasAwayDirectories(): boolean {
    return this.#away.size > 0;
  }

  /** Watch a path, or change what is wanted of one that is watched. @throws {SyscallError} about the path */
  setRoot(path: Uint8Array, top: Interests, below: Interests | null): Root {
    const known = this.roots.get(latin1(path));
    if (known !== undefined) {
      this.#changeRoot(known, top, below);
      return known;
    }
    const { namesSubdirectories } = this.backend;
    const noticesNames = !this.#ownOutputs.isEmpty;
    const root: Root = { path, top, below, node: null, namesSubdirectories, noticesNames };
    this.#placeRoot(root);
    this.roots.set(latin1(path), root);
    return root;
  }

  removeRoot(root: Root): void {
    this.roots.delete(latin1(root.path));
    if (root.node !== null) this.#drop(root.node);
    root.node = null;
  }

  /** Find sub-directories for a while: at most `directories` are listed, then others get their turn. */
  walk(directories: number): void {
    for (let i = 0; i < directories; i++) {
      const next = this.#toWalk.pop();
      if (next === undefined) return;
      this.#walkOne(next.node, next.isNew);
    }
  }

  /** A directory was created in, moved into, moved out of or deleted from `node`. */
  directoryEntry(node: Node, events: number, name: Uint8Array, key: MoveKey | null): void {
    if (!follows(node.root)) return;
    const arrives = (events & arrivals) !== 0;
    const leaves = (events & entryEvents & ~arrivals) !== 0;
    if (arrives && leaves) return this.#reconcile(node, name, key);
    if (arrives) return this.#arrive(node, name, (events & eventBits.moved_to) !== 0 ? key : null);
    const child = node.child(name);
    if (child !== null) this.#leave(child, (events & eventBits.moved_from) !== 0 ? key : null);
  }

  /** @param key of the move whose other half may come; null if it is gone for good */
  #leave(child: Node, key: MoveKey | null): void {
    if (key === null) return this.#drop(child);
    child.detach();
    this.#away.set(key, [...(this.#away.get(key) ?? []), child]);
  }

  /** A name came up in a watched directory: it may be facron's own output under another name. */
  noticeOwnOutput(node: Node, name: Uint8Array, start: number, end: number): void {
    if (!this.#ownOutputs.isEmpty) this.#ownOutputs.noticeNewName(node, name.slice(start, end));
  }

  /** The kernel has no more records: what left and did not arrive went somewhere that is not watched. */
  settle(): void {
    for (const nodes of this.#away.values()) for (const node of nodes) this.#drop(node);
    this.#away.clear();
  }

  markGone(mark: Mark, reason: GoneReason): void {
    for (const node of [...mark.nodes]) {
      if (node.parent !== null) this.#drop(node);
      else this.checkRoot(node.root, reason);
    }
  }

  /** Something was mounted or unmounted: fanotify says nothing of it, and marks go without a word. */
  checkRoots(): void {
    for (const root of this.roots.values()) this.checkRoot(root, "moved");
  }

  /** Whether the root's path still leads to the watched file; if not, watch what is there now. */
  checkRoot(root: Root, reason: GoneReason): void {
    if (root.node === null) return;
    const status = statusOrNull(cString(root.path));
    const isThere = status?.inode === root.node.inode;
    if (isThere && (reason === "moved" || reason === "changed")) return;
    if (status === null) this.#sayGone(root, reason);
    // Its name went: if that was the last, its end is the next that the kernel says.
    if (status === null && reason === "changed") return;
    this.#drop(root.node);
    root.node = null;
    if (status === null) return;
    try {
      this.#placeRoot(root);
      this.#log.info(`${quoted(root.path)} was replaced: watching the new one`);
      this.#observer.rootReplaced(root);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#log.warn(
        `Cannot watch ${quoted(root.path)} any longer: ${causeOf(error, this.backend.name)}`,
      );
    }
  }

  #sayGone(root: Root, reason: GoneReason): void {
    if (this.#gone.has(root)) return;
    this.#gone.add(root);
    const state = reason === "unmounted" ? "its filesystem was unmounted" : "it is no longer there";
    this.#log.warn(
      `Cannot watch ${quoted(root.path)} any longer: ${state}; ` +
        `when it is there again, reload facron (SIGUSR1)`,
    );
  }

  #placeRoot(root: Root): void {
    const path = cString(root.path);
    const status = fileStatus(path);
    const isDirectory = status.kind === S_IFDIR;
    root.node = this.#place(root, null, root.path, isDirectory);
    this.#gone.delete(root);
    root.node.inode = status.inode;
    if (isDirectory && follows(root)) this.#toWalk.push({ node: root.node, isNew: false });
  }

  #place(root: Root, parent: Node | null, name: Uint8Array, isDirectory: boolean): Node {
    const path = cString(parent === null ? name : joined(parent, name));
    const mark = this.backend.add(path, isDirectory, wantAt(root, parent === null, isDirectory));
    const node = new Node(root, mark, { parent, name, isDirectory });
    mark.nodes.push(node);
    if (parent !== null) (parent.children ??= new Map()).set(latin1(name), node);
    if (isDirectory) node.ownOutputs = this.#ownOutputs.namesIn(() => fileStatus(path).inode);
    return node;
  }

  #changeRoot(root: Root, top: Interests, below: Interests | null): void {
    const before = { follows: follows(root), isRecursive: root.below !== null };
    root.top = top;
    root.below = below;
    this.#dropIfReplaced(root);
    if (root.node === null) return this.#placeRoot(root);
    const changes = follows(root) !== before.follows || (below !== null) !== before.isRecursive;
    if (changes) for (const child of childrenOf(root.node)) this.#drop(child);
    this.#refreshBelow(root.node);
    if (changes && root.node.isDirectory && follows(root))
      this.#toWalk.push({ node: root.node, isNew: false });
  }

  /** A reload resolves every path anew: a symbolic link may lead elsewhere by now. */
  #dropIfReplaced(root: Root): void {
    if (root.node === null) return;
    if (statusOrNull(cString(root.path))?.inode === root.node.inode) return;
    this.#drop(root.node);
    root.node = null;
  }

  #refreshBelow(node: Node): void {
    this.#refresh(node);
    for (const child of childrenOf(node)) this.#refreshBelow(child);
  }

  #refresh(node: Node): void {
    try {
      this.backend.change(node.mark, pathForCall(node), wantOf(node.mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#log.warn(
        `Cannot change the watch on ${quoted(node.path)}: ${causeOf(error, this.backend.name)}`,
      );
    }
  }

  #walkOne(node: Node, isNew: boolean): void {
    const isRecursive = node.root.below !== null;
    try {
      listDirectory(pathForCall(node), (name, type) => {
        if (type !== DT_DIR && type !== DT_UNKNOWN) return;
        const child = this.#appear(node, name);
        if (child !== null && isRecursive) this.#walkLater(child, isNew);
      });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Gone since: its own records say so. Anything else hides a part of the tree.
      if (error.errno !== Errno.ENOENT)
        this.#log.warn(cannotWatchBelow(node.path, error, this.backend.name));
    }
  }

  #arrive(parent: Node, name: Uint8Array, key: MoveKey | null): void {
    const moved = key === null ? null : this.#takeAway(key, parent.root);
    if (moved !== null) return moved.moveTo(parent, name);
    const node = this.#appear(parent, name);
    if (node !== null && parent.root.below !== null) this.#walkLater(node, true);
  }

  /** @param isNew what is in the directory came into being, or into the tree, with it */
  #walkLater(node: Node, isNew: boolean): void {
    if (isNew) this.#observer.newDirectory(node, this);
    this.#toWalk.push({ node, isNew });
  }

  #takeAway(key: MoveKey, root: Root): Node | null {
    const nodes = this.#away.get(key) ?? [];
    const index = nodes.findIndex((node) => node.root === root);
    if (index < 0) return null;
    const [node] = nodes.splice(index, 1);
    if (nodes.length === 0) this.#away.delete(key);
    return node!;
  }

  /** One record said that a directory both came and went: only a look can tell which was last. */
  #reconcile(parent: Node, name: Uint8Array, key: MoveKey | null): void {
    const child = parent.child(name);
    const status = statusOrNull(cString(joined(parent, name)), { followSymlink: false });
    if (child !== null && status?.inode === child.inode) return;
    if (child !== null) this.#leave(child, key);
    if (status?.kind === S_IFDIR) this.#arrive(parent, name, key);
  }

  /** Make a place for a sub-directory. @returns null if it is none, is known, or cannot be watched */
  #appear(parent: Node, name: Uint8Array): Node | null {
    const path = joined(parent, name);
    try {
      const status = fileStatus(cString(path), { followSymlink: false });
      if (status.kind !== S_IFDIR) return null;
      const known = parent.child(name);
      if (known?.inode === status.inode) return null;
      if (known !== null) this.#drop(known);
      const node = this.#place(parent.root, parent, name, true);
      node.inode = status.inode;
      return node;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno !== Errno.ENOENT)
        this.#log.warn(cannotWatchBelow(path, error, this.backend.name));
      return null;
    }
  }

  /** Give up a place and all below it; a mark goes with its last place. */
  #drop(node: Node): void {
    for (const child of childrenOf(node)) this.#drop(child);
    const path = pathForCall(node);
    node.detach();
    const { mark } = node;
    mark.nodes.splice(mark.nodes.indexOf(node), 1);
    if (mark.nodes.length === 0) this.backend.remove(mark, path);
    else this.#refresh(mark.nodes[0]!);
  }
}

function childrenOf(node: Node): Node[] {
  return node.children === null ? [] : [...node.children.values()];
}
