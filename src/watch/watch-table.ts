/** The roots, places and marks of one backend, kept true while directories come, go and are renamed. */
import { entryEvents, eventBits } from "../event.ts";
import { bytesEqual, cString, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_UNKNOWN, fileStatus, listDirectory, S_IFDIR } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import type { Backend, DirectoryEntry, GoneReason, MoveKey } from "./backend.ts";
import type { Mark } from "./tree.ts";
import { cannotWatchBelow, causeOf } from "./explain.ts";
import { type OwnOutputs, statusOrNull } from "./own-outputs.ts";
import { Moves, type Tell } from "./moves.ts";
import { Resync } from "./resync.ts";
import { isGone } from "./side-watch.ts";
import { childrenOf, isOwnOutput, joined, Node, pathForCall, type Root } from "./tree.ts";
import { follows, isLeftOut, wantAt, wantOf } from "./want.ts";

/** Events by which a directory enters the place where its name is. */
const arrivals = eventBits.create | eventBits.moved_to;

/** What is wanted of a root. */
export interface RootWants extends Pick<Root, "top" | "below" | "belowHidden" | "isStrict"> {
  /** It was not there before: what is in it came with it. */
  readonly isNew?: boolean;
}

/** What the table tells of things that no kernel record says. */
export interface TableObserver {
  /** The directory is new: what is in it already has to be found. Called before its entries are listed. */
  newDirectory(node: Node, table: WatchTable): void;
  /** Another file is at the path of a root than before. */
  rootReplaced(root: Root, table: WatchTable): void;
  /** Nothing is at the path of a root any more, or nothing that its rules want. */
  rootGone(): void;
  /** Whether what is at the path of a root now is what its rules want to watch. */
  isWanted(root: Root): boolean;
}

export class WatchTable {
  readonly backend: Backend;
  readonly roots = new Map<string, Root>();
  /** Something waits for a moment in which no records are queued. */
  isUnsettled = false;
  readonly #log: Log;
  readonly #ownOutputs: OwnOutputs;
  readonly #observer: TableObserver;
  /** Directories whose sub-directories are still to be found. */
  #toWalk: { readonly node: Node; readonly isNew: boolean }[] = [];
  readonly #moves = new Moves();
  #isInDoubt = false;
  /** Directories in which one could not be found: their path is about to change. */
  readonly #missed = new Set<Node>();
  /** Directories whose name another one has: they are gone, or their going is still queued. */
  readonly #displaced = new Set<Node>();
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

  /** Watch a path, or change what is wanted of one that is watched. @throws {SyscallError} about the path */
  setRoot(path: Uint8Array, wants: RootWants): Root {
    const known = this.roots.get(latin1(path));
    if (known !== undefined) {
      this.#changeRoot(known, wants);
      return known;
    }
    const { namesSubdirectories } = this.backend;
    const noticesNames = !this.#ownOutputs.isEmpty;
    const { isNew = false, ...interests } = wants;
    const root: Root = { path, ...interests, node: null, namesSubdirectories, noticesNames };
    this.#placeRoot(root, isNew);
    this.roots.set(latin1(path), root);
    return root;
  }

  removeRoot(root: Root): void {
    this.roots.delete(latin1(root.path));
    if (root.node !== null) this.#drop(root.node);
    root.node = null;
  }

  /** Look for directories in `node` that are not in the tree. They were there before: nothing is told. */
  lookAgainIn(node: Node): void {
    this.#toWalk.push({ node, isNew: false });
  }

  /** Another directory is at a place below a root, or none: a look will tell. */
  giveUp(node: Node): void {
    this.#drop(node);
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
  directoryEntry(node: Node, entry: DirectoryEntry): void {
    if (!follows(node.root)) return;
    const { events, key } = entry;
    if (entry.isUnsure === true) this.doubt();
    const arrives = (events & arrivals) !== 0;
    const leaves = (events & entryEvents & ~arrivals) !== 0;
    if (arrives && leaves) return this.#reconcile(node, entry);
    if (arrives) return this.#arrive(node, entry);
    const child = this.#subject(node, entry);
    if (child !== null) this.#leave(child, (events & eventBits.moved_from) !== 0 ? key : null);
  }

  /**
   * The place that a record speaks of. It need not be what has the name now: places are found by looking,
   * and a look is ahead of the records that are still queued.
   */
  #subject(parent: Node, { name, target }: DirectoryEntry): Node | null {
    if (target !== undefined) {
      const isIt = (node: Node) => node.parent === parent && bytesEqual(node.name, name);
      return target?.nodes.find(isIt) ?? null;
    }
    const child = parent.child(name);
    return child !== null && this.backend.position > child.since ? child : null;
  }

  /** @param key of the move whose other half may come; null if it is gone for good */
  #leave(child: Node, key: MoveKey | null): void {
    if (key === null) return this.#drop(child);
    child.detach();
    this.#moves.leave(child, key);
    this.isUnsettled = true;
  }

  /**
   * Whether a place is, for now, nowhere: in a directory that has left, and whose arrival is not read yet.
   *
   * @param tell is called when it has arrived, and never if that was somewhere that is not watched
   */
  holdBack(node: Node, tell: Tell): boolean {
    const answer = this.#moves.hold(node, tell);
    if (typeof answer !== "object") return answer === "held";
    this.#drop(answer.nowhere);
    this.doubt();
    return true;
  }

  /**
   * A name came up in a watched directory: it may be facron's own output under another name, or another
   * file under the name of that.
   */
  noticeName(node: Node, events: number, name: Uint8Array, start: number, end: number): void {
    if (this.#ownOutputs.isEmpty) return;
    const isMoved = (events & eventBits.moved_to) !== 0;
    if (!isMoved && !isOwnOutput(node, name, start, end)) return;
    const held = node.ownOutputs !== null;
    this.#ownOutputs.noticeNewName(node, name.slice(start, end));
    if ((node.ownOutputs !== null) !== held) this.#refresh(node);
  }

  /** The kernel has no more records: what left and did not arrive went somewhere that is not watched. */
  settle(): void {
    for (const node of this.#moves.takeAll()) this.#drop(node);
    this.#lookAgain();
    this.isUnsettled = false;
    if (!this.#isInDoubt && this.#displaced.size === 0) return;
    this.#isInDoubt = false;
    for (const root of this.roots.values()) this.#resync(root);
    this.#displaced.clear();
    if (this.backend.queuedBytes > 0) this.doubt(); // what was seen may be true of another moment
  }

  /** Records are lost, or came too late to be sure of: the tree has to be compared with what is there. */
  doubt(): void {
    this.#isInDoubt = true;
    this.isUnsettled = true;
  }

  #resync(root: Root): void {
    const { node } = root;
    if (node === null || !node.isDirectory || !follows(root)) return;
    new Resync(node, this.#displaced, {
      appear: (parent, name) => this.#appear(parent, name, null),
      walkLater: (fresh) => this.#walkLater(fresh, true),
      move: (known, parent, name) => this.#move(known, parent, name),
      drop: (gone) => this.#drop(gone),
    }).run(node);
  }

  /** Where a directory could not be found because the path of the one that it is in had changed. */
  #lookAgain(): void {
    for (const node of this.#missed) this.#toWalk.push({ node, isNew: true });
    this.#missed.clear();
  }

  markGone(mark: Mark, reason: GoneReason): void {
    for (const node of [...mark.nodes]) {
      const { parent } = node;
      if (parent === null) {
        this.checkRoot(node.root, reason);
        continue;
      }
      this.#drop(node);
      if (reason === "unmounted") this.lookAgainIn(parent); // what it hid is there again
    }
  }

  /** Something was mounted or unmounted: fanotify says nothing of it, and marks go without a word. */
  checkRoots(): void {
    for (const root of this.roots.values()) this.checkRoot(root, "mounted");
  }

  /** Whether the root's path still leads to the watched file; if not, watch what is there now. */
  checkRoot(root: Root, reason: GoneReason | "mounted"): void {
    if (root.node === null) return;
    const status = statusOrNull(cString(root.path));
    const isThere = status?.inode === root.node.inode;
    if (isThere && reason !== "deleted" && reason !== "unmounted") return;
    if (status === null) this.#sayGone(root, reason);
    // Its name went: if that was the last, its end is the next that the kernel says.
    if (status === null && reason === "changed") return;
    this.#drop(root.node);
    root.node = null;
    if (status === null || !this.#observer.isWanted(root)) return this.#observer.rootGone();
    try {
      // What a mount shows or hides was there before.
      this.#placeRoot(root, reason === "deleted" || reason === "moved");
      this.#log.info(`${quoted(root.path)} was replaced: watching the new one`);
      this.#observer.rootReplaced(root, this);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isGone(error)) {
        this.#sayGone(root, reason); // between the two looks
        return this.#observer.rootGone();
      }
      this.#log.warn(
        `Cannot watch ${quoted(root.path)} any longer: ${causeOf(error, this.backend.name)}`,
      );
    }
  }

  #sayGone(root: Root, reason: GoneReason | "mounted"): void {
    if (this.#gone.has(root)) return;
    this.#gone.add(root);
    const state = reason === "unmounted" ? "its filesystem was unmounted" : "it is no longer there";
    this.#log.warn(
      `Cannot watch ${quoted(root.path)} any longer: ${state}; ` +
        "it is watched again as soon as it is back",
    );
  }

  #placeRoot(root: Root, isNew = false): void {
    const path = cString(root.path);
    const status = fileStatus(path);
    const isDirectory = status.kind === S_IFDIR;
    root.node = this.#place(root, null, root.path, isDirectory, null)!;
    this.#gone.delete(root);
    root.node.inode = status.inode;
    if (isNew && isDirectory) this.#observer.newDirectory(root.node, this);
    if (isDirectory && follows(root)) this.#toWalk.push({ node: root.node, isNew });
  }

  /** @returns null if what is there is another one, or is in the tree already */
  #place(
    root: Root,
    parent: Node | null,
    name: Uint8Array,
    isDirectory: boolean,
    entry: DirectoryEntry | null,
  ): Node | null {
    const path = cString(parent === null ? name : joined(parent, name));
    const ownOutputs = isDirectory ? this.#ownOutputs.namesIn(() => fileStatus(path).inode) : null;
    const kind = {
      isTop: parent === null,
      isHidden: parent !== null && isHiddenIn(parent, name),
      isDirectory,
      holdsOwnOutput: ownOutputs !== null,
    };
    const want = wantAt(root, kind);
    const mark = this.backend.add(path, isDirectory, want, entry?.identity ?? null);
    if (mark === null) return null;
    const known = parent === null ? undefined : mark.nodes.find((node) => node.root === root);
    if (known !== undefined) {
      // Found by a look before its arrival was read, this is it; else its arrival is still queued.
      const isIt = entry !== null && known.since >= this.backend.position;
      if (isIt && known.parent !== null) this.#move(known, parent!, name);
      return null;
    }
    const node = new Node(root, mark, { parent, name, isDirectory });
    node.since = this.backend.consumed + this.backend.queuedBytes;
    mark.nodes.push(node);
    if (parent !== null) (parent.children ??= new Map()).set(latin1(name), node);
    node.ownOutputs = ownOutputs;
    return node;
  }

  #changeRoot(root: Root, { top, below, belowHidden, isStrict, isNew }: RootWants): void {
    const before = reachOf(root);
    root.isStrict = isStrict;
    root.top = top;
    root.below = below;
    root.belowHidden = belowHidden;
    this.#dropIfReplaced(root);
    if (root.node === null) return this.#placeRoot(root, isNew);
    const changes = reachOf(root) !== before;
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
    if (!this.#isAtItsPath(node)) return this.#miss(node);
    try {
      listDirectory(pathForCall(node), (name, type) => {
        if (type !== DT_DIR && type !== DT_UNKNOWN) return;
        const child = this.#appear(node, name, null);
        if (child !== null && isRecursive) this.#walkLater(child, isNew);
      });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Gone since: its own records say so. Anything else hides a part of the tree.
      if (error.errno !== Errno.ENOENT)
        this.#log.warn(cannotWatchBelow(node.path, error, this.backend.name));
    }
  }

  #arrive(parent: Node, entry: DirectoryEntry): void {
    const { name, key, target } = entry;
    const away = key === null ? null : this.#moves.take(key, parent.root);
    const known = away ?? target?.nodes.find((node) => node.root === parent.root && node.parent);
    if (known) return this.#move(known, parent, name);
    if (!this.#isAtItsPath(parent)) return this.#miss(parent);
    const node = this.#appear(parent, name, entry);
    if (node !== null && parent.root.below !== null) this.#walkLater(node, true);
  }

  #move(node: Node, parent: Node, name: Uint8Array): void {
    const there = parent.child(name);
    if (there === node) return;
    if (parent === node) return this.doubt(); // one of them was taken for the other
    this.#breakCycle(node, parent);
    if (there !== null) this.#displace(there);
    this.#displaced.delete(node);
    const wasHidden = node.isHidden;
    node.moveTo(parent, name);
    if (isLeftOut(node.root, node.isHidden)) return this.#drop(node);
    if (node.isHidden !== wasHidden) this.#refreshBelow(node);
    for (const tell of this.#moves.release(node)) tell();
    this.#lookAgain();
  }

  /** A look may have put a place where it only comes by a record that is still queued. */
  #breakCycle(node: Node, parent: Node): void {
    for (let at: Node = parent; at.parent !== null; at = at.parent) {
      if (at.parent !== node) continue;
      at.detach();
      at.parent = node.parent;
      return this.#displace(at);
    }
  }

  #displace(node: Node): void {
    this.#displaced.add(node);
    this.isUnsettled = true;
  }

  #isAtItsPath(node: Node): boolean {
    return statusOrNull(pathForCall(node))?.inode === node.inode;
  }

  /** If nothing is queued its path is what it will be: something above the root has changed. */
  #miss(node: Node): void {
    if (this.backend.consumed > this.backend.position || this.backend.queuedBytes > 0)
      this.#missed.add(node);
    this.doubt();
  }

  /** @param isNew what is in the directory came into being, or into the tree, with it */
  #walkLater(node: Node, isNew: boolean): void {
    if (isNew) this.#observer.newDirectory(node, this);
    this.#toWalk.push({ node, isNew });
  }

  /** One record said that a directory both came and went: only a look can tell which was last. */
  #reconcile(parent: Node, entry: DirectoryEntry): void {
    const child = this.#subject(parent, entry);
    const path = cString(joined(parent, entry.name));
    const status = statusOrNull(path, { followSymlink: false });
    if (child !== null && status?.inode === child.inode) return;
    if (child !== null) this.#leave(child, entry.key);
    if (status?.kind === S_IFDIR) this.#arrive(parent, entry);
  }

  /** Make a place for a sub-directory. @returns null if it is none, is known, or cannot be watched */
  #appear(parent: Node, name: Uint8Array, entry: DirectoryEntry | null): Node | null {
    const path = joined(parent, name);
    try {
      const status = fileStatus(cString(path), { followSymlink: false });
      if (status.kind !== S_IFDIR) return null;
      if (isLeftOut(parent.root, isHiddenIn(parent, name))) return null;
      const known = parent.child(name);
      if (known?.inode === status.inode) return null;
      if (known !== null) this.#displace(known);
      const node = this.#place(parent.root, parent, name, true, entry);
      if (node === null) return null;
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
    this.#missed.delete(node);
    this.#displaced.delete(node);
    this.#moves.forget(node);
    const path = pathForCall(node);
    node.detach();
    const { mark } = node;
    const index = mark.nodes.indexOf(node);
    if (index < 0) return; // given up already, with the one that it was in
    mark.nodes.splice(index, 1);
    if (mark.nodes.length === 0) this.backend.remove(mark, path);
    else this.#refresh(mark.nodes[0]!);
  }
}

/** On which directories below a root there are marks: when it changes, they are looked for anew. */
function reachOf(root: Root): string {
  return `${follows(root)} ${root.below !== null} ${root.belowHidden !== null}`;
}

const dot = 0x2e;

function isHiddenIn(parent: Node, name: Uint8Array): boolean {
  return name[0] === dot || parent.isHidden;
}
