/** Whose descendant did a record: asked while commands of ours act, and never of the kernel else. */
import { procEvents } from "../../ffi/proc-connector/abi.ts";
import { procEventBuffer, receiveProcEvent } from "../../ffi/proc-connector/calls.ts";
import { ProcEventReader } from "../../ffi/proc-connector/reader.ts";
import type { Log } from "../log.ts";
import type { FamilyCells } from "./cells.ts";
import { noFamily, unknownFamily } from "./family.ts";
import { FamilyLookup, parentsOfAll } from "./lookup.ts";
import { FamilyTree } from "./tree.ts";

export interface FamilySource {
  /** Records are about to be read: whatever forks led to them are told by then. */
  beginRead(): void;

  /** @returns the pid of a command, `noFamily` or `unknownFamily` */
  of(pid: number): number;
}

/** Where nobody runs commands. */
export const noFamilies: FamilySource = { beginRead() {}, of: () => unknownFamily };

export interface FamiliesOptions {
  /** Shared with the main thread. */
  readonly counters: Int32Array;
  readonly cells: FamilyCells;
  readonly ownPid: number;
  /** The guard of the gates is a child of ours and no command; 0: there is none. */
  readonly guardPid: () => number;
  readonly log: Pick<Log, "warn">;
  /** Whoever is asked about is alive, held by the kernel until there is an answer. */
  readonly isOfLiving?: boolean;
  /** Nothing waits in the queues whose records are asked about. */
  readonly allIsRead: () => boolean;
}

const { PROC_EVENT_FORK, PROC_EVENT_EXEC, PROC_EVENT_EXIT } = procEvents;

/** The socket holds some 30,000 messages. */
const lookMs = 100;
/** When nothing acts any more, what is remembered goes after so long. */
const restMs = 10_000;
/** One word about a loss serves so long. */
const silenceMs = 60_000;

export class Families implements FamilySource {
  readonly #options: FamiliesOptions;
  readonly #tree: FamilyTree;
  readonly #lookup: FamilyLookup;
  readonly #buffer = procEventBuffer();
  readonly #events = new ProcEventReader(this.#buffer);
  /** What the socket had after the read in hand is known. */
  #isCurrent = false;
  /** Commands ran before we were there: what they had started by then is told by nobody. */
  #isLate: boolean;
  /** Messages were lost: what is not in the tree may be ours all the same. */
  #isUncertain = false;
  /** performance.now() of the next look, and before which a loss is not said again. */
  #nextLook = 0;
  #silentUntil = 0;

  constructor(options: FamiliesOptions) {
    this.#options = options;
    const { isOfLiving = false } = options;
    this.#tree = new FamilyTree(options.ownPid, { isOfLiving });
    this.#lookup = new FamilyLookup(options.ownPid);
    this.#isLate = this.#commandsAct;
  }

  /** How long poll(2) may wait, in milliseconds; -1: for ever. */
  get timeoutMs(): number {
    if (this.#commandsAct && this.#fd >= 0) return lookMs;
    return this.#tree.isEmpty ? -1 : restMs;
  }

  beginRead(): void {
    this.#isCurrent = false;
  }

  of(pid: number): number {
    if (pid === 0) return unknownFamily;
    const acts = this.#commandsAct;
    if (!acts && this.#tree.isEmpty) return noFamily;
    if (this.#fd < 0) return acts ? this.#lookup.of(pid) : noFamily;
    if (!this.#isCurrent) this.#receive();
    return this.#tree.of(pid) ?? (this.#isUncertain ? this.#lookup.of(pid) : noFamily);
  }

  /**
   * The same, by /proc: for when an error would hold up a command of ours, and with it perhaps all others.
   *
   * A fork may go untold: the kernel tells of it only if it has the memory at hand.
   */
  lookUp(pid: number): number {
    return pid === 0 || !this.#commandsAct ? noFamily : this.#lookup.of(pid);
  }

  /** To be called in each round: the socket must not overflow while no records come. */
  look(): void {
    if (!this.#commandsAct && this.#tree.isEmpty) return;
    const now = performance.now();
    if (now >= this.#nextLook) this.lookNow(now);
  }

  /** Whatever has been forked by now is counted in `familyMembers`. */
  lookNow(now = performance.now()): void {
    this.#nextLook = now + lookMs;
    if (this.#fd < 0) return;
    this.#receive();
    if (!this.#options.allIsRead()) return;
    this.#tree.passed(now);
    this.#isUncertain = false;
  }

  get #commandsAct(): boolean {
    const { counters, cells } = this.#options;
    return Atomics.load(counters, cells.commandsAct) !== 0;
  }

  get #fd(): number {
    const { counters, cells } = this.#options;
    return Atomics.load(counters, cells.processEventsFd) - 1;
  }

  #receive(): void {
    this.#isCurrent = true;
    const fd = this.#fd;
    const now = performance.now();
    let isLoss = false;
    for (;;) {
      const length = receiveProcEvent(fd, this.#buffer);
      if (length === 0) break;
      if (length === null) isLoss = true;
      else this.#take(length, now);
    }
    if (isLoss) this.#lost(now);
    if (this.#isLate) this.#tree.learn(parentsOfAll(), now);
    this.#isLate = false;
    this.#tree.disown(this.#options.guardPid());
    const { counters, cells } = this.#options;
    Atomics.store(counters, cells.familyMembers, this.#tree.living);
  }

  #take(length: number, now: number): void {
    const events = this.#events;
    events.reset(length);
    while (events.next()) {
      const { what, pid, tgid } = events;
      if (pid !== tgid) continue; // a thread
      if (what === PROC_EVENT_FORK) this.#tree.forked(events.parentTgid, tgid);
      else if (what === PROC_EVENT_EXIT) this.#tree.ended(tgid, now);
      else if (what === PROC_EVENT_EXEC) this.#tree.executed(tgid);
    }
  }

  /** Until all that is queued now has been read, a process that is not known is looked up. */
  #lost(now: number): void {
    this.#isUncertain = true;
    this.#tree.learn(parentsOfAll(), now);
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + silenceMs;
    this.#options.log.warn(
      "Processes started faster than facron could follow: for a moment it looks up in /proc whether a command of its own did something",
    );
  }
}
