/** THE MAIN PATH of the reader thread: wait, read, match, write, hand over. */
import { clearEventfd } from "../../ffi/eventfd.ts";
import { POLLIN, POLLPRI, PollSet } from "../../ffi/poll.ts";
import { WatchError } from "../errors.ts";
import { ConfigurationWatch } from "../watch/configuration-watch.ts";
import type { OthersLines } from "../output/json-lines.ts";
import { followMounts } from "../watch/mounts.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import { type FromReader, type Plan, type ReaderStart, sharedCounters } from "./plan.ts";
import type { ReaderPort } from "./port.ts";
import { ReadUps } from "./read-up.ts";
import { WalkGarbage } from "./walk-garbage.ts";
import { type Parts, wire } from "./wiring.ts";

const controlSlot = 0;
const stdoutSlot = 1;
const mountsSlot = 2;
const arrivalsSlot = 3;
const configurationSlot = 4;
const pollSlot = 5;
const firstBackendSlot = 6;
/** inotify and fanotify, for rules and for gates. */
const slots = firstBackendSlot + 4;

/** How soon it is seen whether a recovery from lost records can go on. */
const recoveryStepMs = 20;

export class ReaderLoop {
  readonly #start: ReaderStart;
  readonly #port: ReaderPort;
  readonly #parts: Parts;
  readonly #poll = new PollSet(slots);
  readonly #configuration = new ConfigurationWatch();
  readonly #readUps = new ReadUps();
  readonly #walkGarbage = new WalkGarbage();
  /** The plan in force, until the main thread is told what is watched by it. */
  #unreported: Plan | null = null;
  /** A root has gone, or a path that is waited for may be there. */
  #somethingCameOrWent = false;
  /** The queues have to be looked at before a wait. */
  #looksAgain = false;
  /** There is room for what follows from more records. */
  #mayRead = true;
  #isOver = false;

  constructor(start: ReaderStart, port: ReaderPort) {
    this.#start = start;
    this.#port = port;
    const onRootGone = (): void => void (this.#somethingCameOrWent = true);
    this.#parts = wire(start, port, { onRootGone });
  }

  /** Runs until the program ends. */
  run(): void {
    const { outbox, mounts, watcher, rounds, unknownActors, families, readUntil } = this.#parts;
    const { stdout } = outbox;
    this.#poll.set(controlSlot, this.#start.wakeFd, POLLIN);
    this.#poll.set(mountsSlot, mounts.pollFd, POLLPRI);
    while (!this.#isOver) {
      this.#wait();
      if (this.#poll.happened(controlSlot) !== 0) this.#takeMessages();
      if (this.#isOver) return; // nothing may be handed over after the last word
      const happened = this.#poll.happened(stdoutSlot);
      if (happened !== 0) stdout.handlePoll(happened);
      this.#readAll();
      families.look();
      if (this.#poll.happened(mountsSlot) !== 0) mounts.notice();
      if (mounts.hasNews) this.#followMounts();
      if (this.#poll.happened(arrivalsSlot) !== 0 && watcher.arrivals.read())
        this.#somethingCameOrWent = true;
      if (this.#somethingCameOrWent) this.#followArrivals();
      if (this.#poll.happened(configurationSlot) !== 0 && this.#configuration.read())
        this.#port.send({ kind: "configuration-changed" });
      rounds.lookOn({ isTime: this.#poll.happened(pollSlot) !== 0 });
      this.#walkOn();
      this.#answerReadUps();
      unknownActors.sayIfDue();
      readUntil.afterRound({ hasTriggers: outbox.takeHasSent() });
      if (stdout.isGone) this.#finish({ kind: "stdout-gone" });
    }
  }

  /** Nothing else in this thread ever blocks. */
  #wait(): void {
    const { outbox, watcher, backpressure } = this.#parts;
    const { stdout } = outbox;
    const { arrivals, polling, tables } = watcher;
    const hasRoom = (this.#mayRead = backpressure.hasRoom());
    this.#poll.set(stdoutSlot, stdout.pollFd, stdout.pollEvents);
    this.#poll.set(arrivalsSlot, hasRoom || watcher.hasGates ? arrivals.pollFd : -1, POLLIN);
    this.#poll.set(configurationSlot, this.#configuration.pollFd, POLLIN);
    this.#poll.set(pollSlot, hasRoom ? polling.table.pollFd : -1, POLLIN);
    for (let slot = firstBackendSlot; slot < slots; slot++) {
      const table = tables.list[slot - firstBackendSlot];
      this.#poll.set(slot, this.#listensTo(table) ? table.backend.fd : -1, POLLIN);
    }
    if (outbox.hasGarbage) {
      if (this.#poll.wait(0) > 0) return;
      outbox.collectGarbage();
    }
    this.#poll.wait(this.#timeoutMs());
  }

  /** Gates have to be where they should also while the commands of rules are behind: nothing follows from theirs. */
  #listensTo(table: WatchTable | undefined): table is WatchTable {
    return table !== undefined && (this.#mayRead || table.serves === "gates");
  }

  #timeoutMs(): number {
    const { watcher, rounds, mounts, recoveries, families, readUntil, queues } = this.#parts;
    const { tables } = watcher;
    if (tables.walksOn || this.#looksAgain || this.#somethingCameOrWent) return 0;
    if (rounds.isDue || mounts.hasNews) return 0;
    const idleMs = soonest(families.timeoutMs, readUntil.timeoutMs);
    let timeoutMs = recoveries.isActive ? recoveryStepMs : idleMs < 0 ? Infinity : idleMs;
    for (let i = 0; i < tables.list.length; i++) {
      const table = tables.list[i]!;
      if (table.backend.hasAhead && this.#listensTo(table)) return 0;
      timeoutMs = Math.min(timeoutMs, queues.restsForMs(table) ?? Infinity);
    }
    return timeoutMs === Infinity ? -1 : timeoutMs;
  }

  #takeMessages(): void {
    clearEventfd(this.#start.wakeFd);
    for (let message = this.#port.receive(); message !== null; message = this.#port.receive()) {
      if (message.kind === "plan") this.#apply(message.plan);
      else if (message.kind === "drain") this.#drain(message.flushMs);
      else if (message.kind === "count") this.#sayStatus();
      else if (message.kind === "leave-gates") this.#leaveGates();
      else if (message.kind === "lines") this.#writeOthers(message.lines);
      else if (message.kind === "read-up") this.#readUps.ask(this.#parts.watcher.tables.list);
      else this.#configuration.watch(message.names);
    }
  }

  #leaveGates(): void {
    this.#parts.watcher.leaveGates();
    this.#port.send({ kind: "left-gates" });
  }

  #writeOthers(lines: OthersLines): void {
    const { outbox } = this.#parts;
    outbox.writeOthers(lines);
    this.#port.send({ kind: "wrote", bytes: lines.bytes.byteLength });
  }

  #sayStatus(): void {
    const { watcher, swap } = this.#parts;
    const { tallies } = swap;
    const status = { ...watcher.status(), tallies, isHeldBack: !this.#mayRead };
    this.#port.send({ kind: "counted", status });
  }

  #apply(plan: Plan): void {
    try {
      const { swap, readUntil, recoveries, watcher } = this.#parts;
      swap.apply(plan);
      if (plan.catchUp !== undefined) recoveries.lookBack(watcher.tables.ofRules, plan.catchUp);
      readUntil.follow(plan);
      this.#unreported = plan;
    } catch (error) {
      if (!(error instanceof WatchError)) throw error;
      this.#finish({ kind: "cannot-watch", text: error.message });
    }
  }

  #readAll(): void {
    const { watcher, queues } = this.#parts;
    const { list } = watcher.tables;
    for (let i = 0; i < list.length; i++) {
      const table = list[i]!;
      const hasAhead = table.backend.hasAhead && this.#listensTo(table);
      const isReady = hasAhead || this.#poll.happened(firstBackendSlot + i) !== 0;
      if (isReady) queues.readAndTell(table);
      else queues.settleIfRested(table);
    }
  }

  /** What is queued may be about the filesystem that is gone. */
  #followMounts(): void {
    const { mounts, watcher, queues, outbox } = this.#parts;
    const seen = mounts.see(watcher.tables.list);
    queues.readWhatIsQueued();
    outbox.beginBatch();
    followMounts(seen);
    queues.tell();
    this.#somethingCameOrWent = true; // a path that is waited for may be on the new filesystem
  }

  /** Records from before, of what goes now or is replaced, meet the tree from before. */
  #followArrivals(): void {
    const { lookout, watcher, queues, outbox } = this.#parts;
    queues.readWhatIsQueued();
    this.#somethingCameOrWent = false;
    outbox.beginBatch();
    lookout.during(() => watcher.follow());
    queues.tell();
  }

  #walkOn(): void {
    const { watcher, queues, counters } = this.#parts;
    const { tables } = watcher;
    queues.recover();
    if (tables.needsWalk) {
      tables.walk();
      queues.tell();
      const { marks } = tables;
      Atomics.store(counters, sharedCounters.marks, marks);
      this.#walkGarbage.collectIfMuch(marks);
    }
    if (!tables.isWalking) this.#reportWalked();
  }

  #reportWalked(): void {
    const { watcher } = this.#parts;
    watcher.sayRefusals();
    const plan = this.#unreported;
    if (plan === null) return;
    if (watcher.polling.table.isLooking) return; // what is there by now is not told
    this.#unreported = null;
    const report = watcher.report(plan);
    this.#port.send({ kind: "planned", generation: plan.generation, report });
    this.#walkGarbage.collect(watcher.tables.marks);
  }

  /** After everything else of a round: what follows from the records has been handed over. */
  #answerReadUps(): void {
    const { watcher, catchUp, recoveries, families, outbox } = this.#parts;
    for (;;) {
      const { list: tables, isWalking } = watcher.tables;
      const openLooks = catchUp.openLooks + (recoveries.isActive ? 1 : 0);
      const next = this.#readUps.next({ tables, isWalking, openLooks });
      this.#looksAgain = next === "look";
      if (next !== "answer") return;
      families.lookNow();
      this.#port.send({ kind: "read", seq: outbox.lines.seq });
    }
  }

  /** What is queued now is told, and nothing that comes later. */
  #drain(flushMs: number): void {
    const { queues, rounds, unknownActors, outbox, readUntil } = this.#parts;
    queues.readWhatIsQueued();
    this.#recoverWithin(flushMs);
    rounds.lookOnceMore();
    unknownActors.say();
    readUntil.tell();
    this.#port.send({ kind: "all-read" });
    const linesLost = outbox.stdout.flushWithin(flushMs);
    this.#finish({ kind: "drained", linesLost });
  }

  #recoverWithin(milliseconds: number): void {
    const { recoveries, log } = this.#parts;
    const deadline = performance.now() + milliseconds;
    while (recoveries.isActive && performance.now() < deadline) this.#walkOn();
    if (recoveries.isActive)
      log.warn("Ending before all that changed while events were lost could be found");
  }

  #finish(message: FromReader): void {
    this.#port.send(message);
    this.#isOver = true;
  }
}

/** Of two timeouts of poll(2): -1 is none. */
function soonest(a: number, b: number): number {
  return a < 0 || b < 0 ? Math.max(a, b) : Math.min(a, b);
}
