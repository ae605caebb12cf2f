/** What is polled: roots that are looked at again and again, in rounds that are cut into slices. */
import { RawStatus } from "../../ffi/files.ts";
import { AT, type Fd } from "../../ffi/fd.ts";
import { cString, latin1 } from "../../ffi/bytes.ts";
import { clearTimerfd, openTimerfd, setTimerfd } from "../../ffi/timerfd.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { eventBits } from "../event.ts";
import type { Log } from "../log.ts";
import type { Interests } from "../rule/matcher.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import { PollChanges } from "./poll-changes.ts";
import type { Appeared, LookSink, Vanished } from "./poll-found.ts";
import { PollFilesystems } from "./poll-filesystems.ts";
import { emptyTree, markOf, type PolledRoot } from "./poll-places.ts";
import { aboutPath, PollRound } from "./poll-round.ts";
import { hasLeft, isFresh, isOpenEnded, linksIn, type Snapshot } from "./poll-snapshot.ts";
import { childrenOf, joined, type Node, type Root } from "./tree.ts";
import { follows } from "./want.ts";

/** A look at the clock after so many entries: it costs a tenth of a look at an entry. */
const stepsPerClock = 16;

/** One may be under way; the next misses what is gone, the one behind it tells. */
const roundsOfRetired = 3;

/** What is wanted of a polled root. */
export interface PollWants extends Pick<Root, "top" | "below" | "belowHidden"> {
  readonly intervalMs: number;
  /** It was not there before: what is in it came with it. */
  readonly isNew: boolean;
}

export interface PollTableOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  readonly sink: LookSink;
  readonly asking: (path: Uint8Array) => void;
  /** Whether what is at the path of a root now is what its rules want to watch. */
  readonly isWanted: (root: Root) => boolean;
  /** A root has gone, or may be there. */
  readonly somethingCameOrWent: () => void;
}

export class PollTable {
  readonly roots = new Map<string, PolledRoot>();
  readonly #options: PollTableOptions;
  readonly #changes: PollChanges;
  readonly #round: PollRound;
  readonly #status = new RawStatus();
  #timer: Fd | null = null;
  /** The round under way. */
  #steps: Generator<void> | null = null;
  /** The roots that it looks at. */
  #due: readonly PolledRoot[] = [];
  /** Roots that were given up while it was under way. */
  readonly #removed = new Set<Root>();
  #isRootGone = false;
  /** performance.now() of the next look at paths that rules wait for. */
  #arrivalsDueAt = Infinity;
  #arrivalsMs = 0;

  constructor(options: PollTableOptions) {
    this.#options = options;
    this.#changes = new PollChanges({
      takeBelow: (node) => (node.root as PolledRoot).tree.places.takeBelow(node),
      findOtherName: (appeared) => this.#findOtherNames(appeared),
    });
    const rootGone = () => void (this.#isRootGone = true);
    const filesystems = new PollFilesystems();
    this.#round = new PollRound({ ...options, changes: this.#changes, filesystems, rootGone });
  }

  /** For poll(2): readable when the next round is due; -1 while nothing is polled. */
  get pollFd(): number {
    return this.#timer?.number ?? -1;
  }

  /** A round is under way. */
  get isLooking(): boolean {
    return this.#steps !== null;
  }

  /** Entries that are compared in each round. */
  get entries(): number {
    let count = 0;
    for (const { tree } of this.roots.values())
      for (const { snapshot } of tree.places.snapshots()) count += snapshot.count;
    return count;
  }

  /** Files that have changed, and are not complete. */
  get openEnded(): number {
    let count = 0;
    for (const { tree } of this.roots.values()) {
      count += tree.own.openEnded;
      for (const { snapshot } of tree.places.snapshots()) count += snapshot.openEnded;
    }
    return count;
  }

  /**
   * Poll a path, or change what is wanted of one that is polled.
   *
   * @throws {SyscallError} about the path, if it was not polled until now
   */
  setRoot(path: Uint8Array, { intervalMs, isNew, ...interests }: PollWants): PolledRoot {
    const known = this.roots.get(latin1(path));
    if (known !== undefined) {
      const didFollow = follows(known);
      Object.assign(known, interests, { intervalMs, roundsLeft: null });
      if (didFollow && !follows(known)) giveUpBelow(known);
      if (!didFollow && follows(known)) this.#lookSoon(known);
      return known;
    }
    this.#checkPath(path);
    const root: PolledRoot = {
      path,
      ...interests,
      node: null,
      scope: "tree",
      namesSubdirectories: true,
      noticesNames: false,
      isStrict: false,
      intervalMs,
      dueAt: 0,
      lookedAt: -Infinity,
      roundsLeft: null,
      isWholeInterval: false,
      isNew,
      trouble: "",
      device: "",
      mount: 0,
      mountPoint: path,
      absentOn: 0,
      tree: emptyTree(),
      away: new Map(),
    };
    this.roots.set(latin1(path), root);
    this.#lookSoon(root);
    return root;
  }

  /** A server that does not answer yet will. @throws {SyscallError} about the path */
  #checkPath(path: Uint8Array): void {
    const errno = this.#status.read(cString(path), 0);
    if (aboutPath.has(errno)) throw new SyscallError("statx", errno);
  }

  /** Nothing matches it any more: what is known of it is still told, and that may take some rounds. */
  retireRoot(root: PolledRoot): void {
    root.roundsLeft ??= roundsOfRetired;
  }

  removeRoot(root: Root): void {
    this.roots.delete(latin1(root.path));
    this.#changes.forget(root);
    if (this.#steps !== null) this.#removed.add(root);
  }

  /** Look for paths that rules wait for, too. @param intervalMs 0 for no longer */
  lookForArrivals(intervalMs: number): void {
    this.#arrivalsMs = intervalMs;
    this.#arrivalsDueAt = intervalMs === 0 ? Infinity : performance.now() + intervalMs;
    this.#setTimer();
  }

  /** Tell those that are new there of what has been found in a directory by now. */
  tellOf(node: Node, interests: Interests): void {
    const { sink } = this.#options;
    const { snapshot } = markOf(node);
    for (let index = 0; index < snapshot.count; index++) {
      const place = { node, name: snapshot.name(index).slice() };
      const isDirectory = snapshot.isDirectory(index);
      sink.synthetic(place, eventBits.create, isDirectory, "poll", interests);
      const isComplete = snapshot.isFile(index) && (snapshot.state(index) & isOpenEnded) === 0;
      if (isComplete) sink.synthetic(place, eventBits.close_write, false, "poll", interests);
    }
  }

  /** A new root is looked at without waiting for its turn. */
  #lookSoon(root: PolledRoot): void {
    root.dueAt = 0;
    this.#timer ??= openTimerfd();
    this.#start();
  }

  /** The timer said that something is due. */
  startRound(): void {
    if (this.#timer !== null) clearTimerfd(this.#timer.number);
    this.#start();
  }

  #start(): void {
    if (this.#steps !== null) return;
    const now = performance.now();
    const due = [...this.roots.values()].filter(({ dueAt }) => dueAt <= now);
    if (now >= this.#arrivalsDueAt) {
      this.#arrivalsDueAt = now + this.#arrivalsMs;
      this.#options.somethingCameOrWent();
    }
    this.#due = due;
    for (const root of due) root.isWholeInterval = now - root.lookedAt >= root.intervalMs;
    if (due.length > 0) this.#steps = this.#lookAt(due);
    else this.#setTimer();
  }

  *#lookAt(due: readonly PolledRoot[]): Generator<void> {
    yield* this.#round.look(due);
    for (const root of this.#removed) this.#changes.forget(root);
    yield* this.#changes.tell(this.#options.sink, new Set<Root>(due));
  }

  /** Go on with the round for so long. */
  lookOn(milliseconds: number): void {
    const steps = this.#steps;
    if (steps === null) return;
    const end = performance.now() + milliseconds;
    for (let step = 1; steps.next().done !== true; step++)
      if (step % stepsPerClock === 0 && performance.now() >= end) return;
    this.#finish();
  }

  /** Everything that is to be seen now: for the end of the program. @returns whether there was time for it */
  lookOnce(milliseconds: number): boolean {
    const end = performance.now() + milliseconds;
    this.lookOn(milliseconds);
    if (this.isLooking) return false;
    for (const root of this.roots.values()) root.dueAt = 0;
    this.#start();
    this.lookOn(end - performance.now());
    return !this.isLooking;
  }

  /** From the end of a round: between two looks at one file there is never less than the interval. */
  #finish(): void {
    this.#steps = null;
    this.#removed.clear();
    const now = performance.now();
    for (const root of this.#due) {
      if (root.roundsLeft !== null && --root.roundsLeft === 0) this.removeRoot(root);
      root.lookedAt = now;
      root.dueAt = now + root.intervalMs;
    }
    if (this.#isRootGone) this.#options.somethingCameOrWent();
    this.#isRootGone = false;
    this.#start();
  }

  #setTimer(): void {
    let next = this.#arrivalsDueAt;
    for (const { dueAt } of this.roots.values()) next = Math.min(next, dueAt);
    if (next === Infinity) return;
    this.#timer ??= openTimerfd();
    setTimerfd(this.#timer.number, Math.max(0, next - performance.now()));
  }

  /** Hard links, and files that were renamed from a directory that this round had looked at before. */
  #findOtherNames(appeared: readonly Appeared[]): Map<Appeared, Vanished | "link"> {
    const found = new Map<Appeared, Vanished | "link">();
    const byInode = new Map<number, Appeared[]>();
    for (const entry of appeared) {
      if (entry.isDirectory) continue;
      const inode = entry.snapshot.inode(entry.index);
      byInode.set(inode, [...(byInode.get(inode) ?? []), entry]);
    }
    for (const root of this.roots.values()) {
      for (const { node, snapshot } of root.tree.places.snapshots()) {
        for (let index = 0; index < snapshot.count; index++) {
          for (const entry of byInode.get(snapshot.inode(index)) ?? [])
            this.#considerOther(entry, { node, snapshot, index }, found);
        }
      }
    }
    return found;
  }

  #considerOther(
    entry: Appeared,
    { node, snapshot, index }: { node: Node; snapshot: Snapshot; index: number },
    found: Map<Appeared, Vanished | "link">,
  ): void {
    const isItself = snapshot === entry.snapshot && index === entry.index;
    if (isItself || found.get(entry) === "link") return;
    if ((snapshot.state(index) & (hasLeft | isFresh)) !== 0) return;
    const root = node.root as PolledRoot;
    const key = `${markOf(node).device || root.device} ${snapshot.key(index)}`;
    if (key !== entry.key) return;
    const name = snapshot.name(index).slice();
    const errno = this.#status.read(
      cString(joined(node, name)),
      AT.SYMLINK_NOFOLLOW | AT.STATX_FORCE_SYNC,
    );
    // The path of a directory that was not found any more may lead to another one.
    if (isThere(node) && errno === 0 && snapshot.isSame(index, this.#status, false)) {
      // With one name it is the same name, seen on another way: through a bind mount, or by another root.
      if (linksIn(this.#status) > 1) found.set(entry, "link");
      return;
    }
    snapshot.setState(index, snapshot.state(index) | hasLeft);
    const place = { node, name };
    found.set(entry, {
      place,
      isDirectory: false,
      key,
      snapshot,
      index,
      node: null,
      isReplaced: false,
      isTold: false,
    });
  }
}

/** Whether a directory, and each that it is in, was found by the last look. */
function isThere(node: Node): boolean {
  for (let at = node; at.parent !== null; at = at.parent) if (!at.isAttached) return false;
  return true;
}

function giveUpBelow({ node, tree }: PolledRoot): void {
  if (node !== null) for (const child of childrenOf(node)) tree.places.drop(child);
}
