/** One round of polling: every directory below some roots is looked at, and compared with the last look. */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import { Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { AT } from "../../ffi/fd.ts";
import { listSome, openDirectory, RawStatus, S_IFDIR } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import { cannotWatchBelow } from "./explain.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import type { PollChanges } from "./poll-changes.ts";
import { coarseTimeMs } from "./poll-complete.ts";
import { EntryLook } from "./poll-entry.ts";
import type { PollFilesystems } from "./poll-filesystems.ts";
import { openIfDeep, PathBuffer } from "./poll-path.ts";
import { emptyTree, markOf, type PolledRoot, type PolledTree } from "./poll-places.ts";
import {
  changeTimeIn,
  deviceIn,
  hasLeft,
  identityIn,
  inodeIn,
  kindIn,
  Snapshot,
} from "./poll-snapshot.ts";
import { isGone } from "./side-watch.ts";
import { joined, type Node } from "./tree.ts";

const noName = new Uint8Array(0);
/** Trees that are kept while something else is mounted over them. */
const awayMax = 4;

export interface RoundOptions {
  readonly changes: PollChanges;
  readonly ownOutputs: OwnOutputs;
  readonly filesystems: PollFilesystems;
  readonly log: Log;
  /** Nothing is at the path of a root any more. */
  readonly rootGone: () => void;
}

export class PollRound {
  readonly #options: RoundOptions;
  readonly #status = new RawStatus();
  readonly #path = new PathBuffer();
  /** Directories that are still to be looked into, the next one last. */
  readonly #next: Node[] = [];
  readonly #entry: EntryLook;
  /** Paths that could not be looked at, as the log says. */
  readonly #unseen = new Set<string>();
  #number = 0;

  constructor(options: RoundOptions) {
    this.#options = options;
    const lookLater = (node: Node) => void this.#next.push(node);
    this.#entry = new EntryLook({ ...options, path: this.#path, status: this.#status, lookLater });
  }

  /** Steps of some microseconds each. */
  *look(roots: Iterable<PolledRoot>): Generator<void> {
    this.#number++;
    for (const root of roots) {
      this.#lookAtRoot(root);
      yield;
      for (let node = this.#next.pop(); node !== undefined; node = this.#next.pop())
        yield* this.#lookInto(node);
    }
  }

  /** Symbolic links are followed. Anything but its absence may pass: a server that does not answer. */
  #lookAtRoot(root: PolledRoot): void {
    const { filesystems } = this.#options;
    this.#path.setPrefix(root.path);
    const errno = this.#status.read(this.#path.join(noName), AT.STATX_FORCE_SYNC);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return this.#loseRoot(root);
    if (errno !== 0) return this.#sayTrouble(root, errnoText(errno));
    this.#sayTrouble(root, "");
    const device = deviceIn(this.#status);
    if (root.node !== null && root.device !== device) this.#changeFilesystem(root);
    root.device = device;
    const { inodesChange } = filesystems.at(device, root.path);
    if (root.node !== null && !root.tree.own.isSame(0, this.#status, inodesChange))
      this.#replaceRoot(root);
    if (root.node === null) this.#placeRoot(root);
    const node = root.node!;
    this.#entry.enter(node);
    this.#entry.compare(root.tree.own, 0, noName);
    if (node.isDirectory) this.#next.push(node);
  }

  #placeRoot(root: PolledRoot): void {
    const { changes } = this.#options;
    const isDirectory = kindIn(this.#status) === S_IFDIR;
    const mark = { fileKey: ` ${identityIn(this.#status)}`, device: "", isBaseline: !root.isNew };
    const tree = emptyTree();
    const node = tree.places.add(root, { parent: null, name: root.path, isDirectory }, mark);
    node.inode = inodeIn(this.#status);
    tree.node = node;
    tree.own.add(noName, this.#status);
    root.tree = tree;
    root.node = node;
    if (root.isNew && !isDirectory) {
      this.#entry.enter(node);
      this.#entry.beginLife(tree.own, 0, noName);
      const isEmpty = tree.own.isEmpty(0);
      const events = eventBits.create | (isEmpty ? 0 : eventBits.modify);
      changes.change({ node, name: noName }, events, false);
    }
    root.isNew = false;
  }

  /** Nothing is there: its end is told, and its next life is from the beginning. */
  #loseRoot(root: PolledRoot): void {
    if (root.node === null) return;
    this.#options.log.warn(
      `Cannot watch ${quoted(root.path)} any longer: it is no longer there; ` +
        "it is watched again as soon as it is back",
    );
    this.#endRoot(root);
    this.#options.rootGone();
  }

  #replaceRoot(root: PolledRoot): void {
    this.#options.log.info(`${quoted(root.path)} was replaced: watching the new one`);
    this.#endRoot(root);
  }

  #endRoot(root: PolledRoot): void {
    const { changes } = this.#options;
    const node = root.node!;
    for (const { place, events, isDirectory } of root.tree.places.takeBelow(node))
      changes.change(place, events, isDirectory);
    changes.change({ node, name: noName }, eventBits.delete_self, node.isDirectory);
    root.node = null;
    root.tree = emptyTree();
    root.isNew = true;
  }

  /**
   * Something was mounted over the root, or unmounted. What is below was there before, and when the one
   * filesystem is back, only what has changed on it meanwhile is told.
   */
  #changeFilesystem(root: PolledRoot): void {
    const { log, filesystems } = this.#options;
    filesystems.forget();
    const fileKey = ` ${identityIn(this.#status)}`;
    root.away.set(markOf(root.node!).fileKey, root.tree);
    for (const oldest of root.away.keys()) if (root.away.size > awayMax) root.away.delete(oldest);
    const back: PolledTree = root.away.get(fileKey) ?? emptyTree();
    root.away.delete(fileKey);
    root.tree = back;
    root.node = back.node;
    const state = back.node === null ? "polling that from now on" : "polling it again";
    log.info(`Another filesystem is at ${quoted(root.path)}: ${state}`);
  }

  #sayTrouble(root: PolledRoot, trouble: string): void {
    if (root.trouble === trouble) return;
    root.trouble = trouble;
    const path = quoted(root.path);
    if (trouble === "") this.#options.log.info(`Polling ${path} again`);
    else
      this.#options.log.warn(
        `Cannot look at ${path}: ${trouble}; what changes there is told when that is over`,
      );
  }

  *#lookInto(node: Node): Generator<void> {
    const mark = markOf(node);
    if (mark.round === this.#number) return;
    mark.round = this.#number;
    try {
      using deep = openIfDeep(node);
      this.#path.setPrefix(deep?.prefix ?? node.prefix.raw);
      yield* this.#lookHere(node);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#sayRefused(node, error);
    }
  }

  /** The names in it are put behind the path in hand. */
  *#lookHere(node: Node): Generator<void> {
    const mark = markOf(node);
    const errno = this.#status.read(this.#path.join(noName), AT.STATX_FORCE_SYNC);
    if (errno !== 0) return this.#sayRefused(node, new SyscallError("statx", errno));
    this.#entry.enter(node);
    const { keepsDirectoryTimes } = this.#entry.filesystem;
    const now = performance.now();
    const changeTime = changeTimeIn(this.#status);
    const isChanged = changeTime !== mark.changeTime;
    if (isChanged) mark.changeTimeSince = now;
    // A later change need not show if the filesystem counts time in large steps.
    const isYoung = now - mark.changeTimeSince <= coarseTimeMs;
    const isListed = isChanged || isYoung || !keepsDirectoryTimes;
    const isComplete = isListed ? yield* this.#list(node) : yield* this.#lookAtAll(node);
    // What can't be listed now, or has changed meanwhile, is listed in the next round.
    mark.changeTime = isComplete ? changeTime : "";
    if (isComplete) mark.isBaseline = false;
  }

  /** @returns whether all could be seen */
  *#list(node: Node): Generator<void, boolean> {
    const mark = markOf(node);
    const before = mark.snapshot;
    const isKept = new Uint8Array(before.count);
    const next = new Snapshot();
    const error = yield* this.#readEntries(before, isKept, next);
    for (let index = 0; index < before.count; index++) {
      if (isKept[index] === 1) continue;
      if (error !== null) next.copy(before, index);
      else if ((before.state(index) & hasLeft) === 0) this.#entry.vanish(before, index, false);
    }
    next.trim();
    before.forgetIndex();
    mark.snapshot = next;
    this.#sayRefused(node, error);
    return error === null;
  }

  *#readEntries(
    before: Snapshot,
    isKept: Uint8Array,
    next: Snapshot,
  ): Generator<void, SyscallError | null> {
    let hint = 0;
    try {
      using directory = openDirectory(this.#path.join(noName));
      for (let some = listSome(directory); some.length > 0; some = listSome(directory)) {
        for (const { name } of some) {
          const index = before.find(name, hint);
          if (index >= 0) hint = index + 1;
          if (this.#lookAtEntry(name, before, index, next) && index >= 0) isKept[index] = 1;
          yield;
        }
      }
      return null;
    } catch (error) {
      if (error instanceof SyscallError) return error;
      throw error;
    }
  }

  /** @returns false if it is not there any more */
  #lookAtEntry(name: Uint8Array, before: Snapshot, index: number, next: Snapshot): boolean {
    const errno = this.#readEntry(name);
    if (errno === Errno.ENOENT) return false;
    if (errno !== 0) {
      if (index >= 0)
        next.copy(before, index); // it is there, and cannot be looked at
      else this.#sayUnseen(name, new SyscallError("statx", errno));
      return true;
    }
    if (this.#options.ownOutputs.isEmpty || !this.#options.ownOutputs.has(inodeIn(this.#status)))
      this.#entry.look(name, before, index, next);
    return true;
  }

  #readEntry(name: Uint8Array): number {
    const flags = AT.SYMLINK_NOFOLLOW | AT.STATX_FORCE_SYNC;
    return this.#status.read(this.#path.join(name), flags);
  }

  /** The names are the same: only what is behind them may have changed. @returns whether they were */
  *#lookAtAll(node: Node): Generator<void, boolean> {
    const { snapshot } = markOf(node);
    let isComplete = true;
    for (let index = 0; index < snapshot.count; index++) {
      const name = snapshot.name(index);
      const errno = this.#readEntry(name);
      if (errno === 0 && this.#entry.isSame(snapshot, index))
        this.#entry.compare(snapshot, index, name);
      else isComplete = false;
      yield;
    }
    return isComplete;
  }

  /** Once for each path. */
  #sayUnseen(name: Uint8Array, error: SyscallError): void {
    const path = joined(this.#entry.node, name);
    const key = latin1(path);
    if (this.#unseen.has(key)) return;
    this.#unseen.add(key);
    this.#options.log.warn(cannotWatchBelow(path, error, "inotify"));
  }

  /** Once. Of what is gone its parent's next look tells. */
  #sayRefused(node: Node, error: SyscallError | null): void {
    const mark = markOf(node);
    const isRefused = error !== null && !isGone(error);
    if (isRefused && !mark.isRefused)
      this.#options.log.warn(cannotWatchBelow(node.path, error, "inotify"));
    mark.isRefused = isRefused;
  }
}
