/** One round of polling: every directory below some roots is looked at, and compared with the last look. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { AT } from "../../ffi/fd.ts";
import { listSome, openDirectory, RawStatus } from "../../ffi/files.ts";
import { cannotWatchBelow } from "./explain.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import { coarseTimeMs } from "./poll-complete.ts";
import { EntryLook } from "./poll-entry.ts";
import { openIfDeep, PathBuffer, readOpen } from "./poll-path.ts";
import { markOf, type PolledRoot } from "./poll-places.ts";
import { changeTimeIn, hasLeft, inodeIn, mountIn, Snapshot } from "./poll-snapshot.ts";
import { RootLook, type RootLookOptions } from "./poll-roots.ts";
import { isGone } from "./side-watch.ts";
import { joined, type Node } from "./tree.ts";

/** Any other error may be that of a server, a disk or a connection. */
export const aboutPath: ReadonlySet<number> = new Set([
  Errno.ENOENT,
  Errno.ENOTDIR,
  Errno.EACCES,
  Errno.EPERM,
  Errno.ELOOP,
  Errno.ENAMETOOLONG,
]);

/** What was begun to be read is not at its path any more. */
function hiddenError(): SyscallError {
  return new SyscallError("statx", Errno.ENOENT);
}

export interface RoundOptions extends Omit<RootLookOptions, "entry" | "path" | "status"> {
  readonly ownOutputs: OwnOutputs;
  /** Told of the path of each root before it is looked at: its filesystem may not answer. */
  readonly asking: (path: Uint8Array) => void;
}

export class PollRound {
  readonly #options: RoundOptions;
  readonly #status = new RawStatus();
  readonly #other = new RawStatus();
  readonly #path = new PathBuffer();
  /** Directories that are still to be looked into, the next one last. */
  readonly #next: Node[] = [];
  /** Directories that mounts have hidden, or that were mounted. */
  readonly #hidden: Node[] = [];
  readonly #entry: EntryLook;
  readonly #roots: RootLook;
  /** Directories with a name that could not be looked at, as the log says. */
  readonly #unseen = new WeakSet<Node>();
  #number = 0;

  constructor(options: RoundOptions) {
    this.#options = options;
    const lookLater = (node: Node) => void this.#next.push(node);
    const hidden = (node: Node) => void this.#hidden.push(node);
    const inHand = { ...options, path: this.#path, status: this.#status };
    this.#entry = new EntryLook({ ...inHand, lookLater, hidden });
    this.#roots = new RootLook({ ...inHand, entry: this.#entry });
  }

  /** Steps of some microseconds each. */
  *look(roots: Iterable<PolledRoot>): Generator<void> {
    this.#number++;
    for (const root of roots) {
      this.#options.asking(root.path);
      const top = this.#roots.look(root);
      if (top !== null) this.#next.push(top);
      yield;
      for (let node = this.#next.pop(); node !== undefined; node = this.#next.pop())
        yield* this.#lookInto(node);
      this.#dropHidden(root);
    }
  }

  /** By a bind mount one may have been found at another place meanwhile. */
  #dropHidden({ tree }: PolledRoot): void {
    for (let node = this.#hidden.pop(); node !== undefined; node = this.#hidden.pop())
      if (!node.isAttached) tree.places.drop(node);
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
    const errno = this.#status.read(this.#path.directory, AT.STATX_FORCE_SYNC);
    if (errno !== 0) return this.#sayRefused(node, new SyscallError("statx", errno));
    // Mounted or unmounted since its name was looked at: the next look at that finds it.
    if (mountIn(this.#status) !== mark.mount) return;
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
    const readError = yield* this.#readEntries(before, isKept, next);
    const isHidden = readError === null && isKept.includes(0) && this.#isHidden(node);
    const error = isHidden ? hiddenError() : readError;
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
      using directory = openDirectory(this.#path.directory);
      // Renamed or replaced since its name was looked at: the next look at that finds it.
      const errno = readOpen(directory, this.#status);
      if (errno !== 0 || !this.#entry.isItself) return hiddenError();
      this.#path.hold(directory);
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
    } finally {
      this.#path.release();
    }
  }

  /** @returns false if it is not there any more */
  #lookAtEntry(name: Uint8Array, before: Snapshot, index: number, next: Snapshot): boolean {
    const errno = this.#readEntry(name);
    if (errno === Errno.ENOENT) return false;
    if (errno !== 0) {
      if (this.#isAway(this.#entry.node, errno)) throw new SyscallError("statx", errno);
      if (index >= 0) next.copy(before, index); // it is there, and cannot be looked at
      this.#sayUnseen(name, new SyscallError("statx", errno));
      return true;
    }
    if (this.#entry.hasOtherMount(name) && this.#isHidden(this.#entry.node)) throw hiddenError();
    if (this.#options.ownOutputs.isEmpty || !this.#options.ownOutputs.has(inodeIn(this.#status)))
      this.#entry.look(name, before, index, next);
    return true;
  }

  /** Something was mounted over the directory in hand, or unmounted, while it was read. */
  #isHidden(node: Node): boolean {
    const errno = this.#other.read(this.#path.directory, AT.STATX_FORCE_SYNC);
    return errno !== 0 || mountIn(this.#other) !== markOf(node).mount;
  }

  #readEntry(name: Uint8Array): number {
    const flags = AT.SYMLINK_NOFOLLOW | AT.STATX_FORCE_SYNC;
    return this.#path.read(this.#status, name, flags);
  }

  /** The names are the same: only what is behind them may have changed. @returns whether they were */
  *#lookAtAll(node: Node): Generator<void, boolean> {
    const { snapshot } = markOf(node);
    let isComplete = true;
    for (let index = 0; index < snapshot.count; index++) {
      const name = snapshot.name(index);
      const errno = this.#readEntry(name);
      if (errno === 0 && this.#isUnmoved(name, snapshot, index))
        this.#entry.compare(snapshot, index, name);
      else isComplete = false;
      if (errno !== 0 && this.#isAway(node, errno)) return false;
      yield;
    }
    return isComplete;
  }

  #isUnmoved(name: Uint8Array, snapshot: Snapshot, index: number): boolean {
    return !this.#entry.hasOtherMount(name) && this.#entry.isSame(snapshot, index);
  }

  /** Once for each directory: where one name cannot be looked at, the others mostly cannot either. */
  #sayUnseen(name: Uint8Array, error: SyscallError): void {
    const { node } = this.#entry;
    if (this.#unseen.has(node)) return;
    this.#unseen.add(node);
    this.#options.log.warn(cannotWatchBelow(joined(node, name), error, "inotify"));
  }

  /** Once. Of what is gone its parent's next look tells. */
  #sayRefused(node: Node, error: SyscallError | null): void {
    const mark = markOf(node);
    const isRefused = error !== null && !isGone(error) && !this.#isAway(node, error.errno);
    if (isRefused && !mark.isRefused)
      this.#options.log.warn(cannotWatchBelow(node.path, error, "inotify"));
    mark.isRefused = isRefused;
  }

  /** The filesystem cannot be asked any more: the round is over for this root. */
  #isAway({ root }: Node, errno: number): boolean {
    if (aboutPath.has(errno) || !this.#roots.isAway(root as PolledRoot)) return false;
    this.#next.length = 0;
    return true;
  }
}
