/** THE MAIN PATH of the reader thread: wait, read, match, write, hand over. */
import { clearEventfd } from "../../ffi/eventfd.ts";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { POLLIN, POLLPRI, pollOne, PollSet } from "../../ffi/poll.ts";
import { WatchError } from "../errors.ts";
import { type Log } from "../log.ts";
import { JsonLines } from "../output/json-lines.ts";
import { Writer } from "../output/writer.ts";
import type { Interests } from "../rule/matcher.ts";
import { RuleSet } from "../rule/rule-set.ts";
import { CatchUp } from "../watch/catch-up.ts";
import { ConfigurationWatch } from "../watch/configuration-watch.ts";
import { RealDisk } from "../watch/disk.ts";
import type { Listing } from "../watch/walk.ts";
import { Ladder } from "../watch/ladder.ts";
import { OwnOutputs } from "../watch/own-outputs.ts";
import { MountTable } from "../watch/mount-table.ts";
import { followMounts, seeMounts } from "../watch/mounts.ts";
import type { Node, Root } from "../watch/tree.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import type { WatchedFile } from "../watch/watched-file.ts";
import { Actors } from "./actors.ts";
import { Families } from "./families.ts";
import { groupOf, handOver, nothingWatched } from "./handover.ts";
import { UnknownActors } from "./unknown-actors.ts";
import { WalkGarbage } from "./walk-garbage.ts";
import { Watcher, type WatcherObserver } from "./watcher.ts";
import { Dispatch } from "./dispatch.ts";
import { Lookout } from "./lookout.ts";
import { Recoveries } from "./recoveries.ts";
import { ReadUps } from "./read-up.ts";
import {
  type FromReader,
  type Plan,
  type ReaderStart,
  sharedCounters,
  type ToReader,
} from "./plan.ts";
import { TriggerWriter } from "./trigger.ts";

const stdoutFd = 1;
const stderrFd = 2;

const controlSlot = 0;
const stdoutSlot = 1;
const mountsSlot = 2;
const arrivalsSlot = 3;
const configurationSlot = 4;
const pollSlot = 5;
const firstBackendSlot = 6;
const slots = 8;

/** So many buffers handed over leave megabytes of garbage; collecting it takes a few milliseconds. */
const collectAfterTriggers = 10_000;

/** Directories listed between two looks at the queues: about a millisecond's work. */
const directoriesPerSlice = 64;

/** How long files are looked at between two looks at the queues. */
const lookSliceMs = 2;

/** How long the last look may take: whoever stops us waits for it. */
const lastLookMs = 5_000;

/** How long the second half of a rename may be on its way; it is queued by the same system call. */
const renameWaitMs = 20;

/** How long one word about a pause serves. */
const pauseSilenceMs = 60_000;

const linesCapacity = 256 * 1024;

function openMountTable(): Fd | null {
  try {
    return openFd(cString(utf8("/proc/self/mountinfo")), O.RDONLY);
  } catch (error) {
    if (error instanceof SyscallError) return null; // no /proc: unmounting goes unnoticed
    throw error;
  }
}

export interface ReaderPort {
  /** The next message from the main thread, or null. */
  receive(): ToReader | null;
  send(message: FromReader, transfer?: ArrayBuffer[]): void;
}

export class ReaderLoop {
  readonly #start: ReaderStart;
  readonly #port: ReaderPort;
  readonly #counters: Int32Array;
  readonly #stdout = new Writer(stdoutFd);
  readonly #poll = new PollSet(slots);
  readonly #lines = new JsonLines(linesCapacity);
  readonly #triggers = new TriggerWriter();
  readonly #unknownActors: UnknownActors;
  readonly #families: Families;
  readonly #disk = new RealDisk({ warn: (text) => this.#log.warn(text) });
  readonly #dispatch: Dispatch;
  readonly #catchUp: CatchUp;
  readonly #watcher: Watcher;
  /** proc_pid_mountinfo(5): POLLPRI says that a filesystem was mounted or unmounted. */
  readonly #mountsFd = openMountTable();
  readonly #mounts = new MountTable();
  #hasNewMounts = false;
  readonly #configuration = new ConfigurationWatch();
  readonly #recoveries: Recoveries;
  /** Roots whose ignore files are no longer what they were. */
  readonly #ignoreChanged = new Map<Root, WatchTable>();
  /** A root has gone, or a path that is waited for may be there. */
  #somethingCameOrWent = false;
  readonly #readUps = new ReadUps();
  readonly #lookout: Lookout;
  /** The queues have to be looked at before a wait. */
  #looksAgain = false;
  /** A round of polling is under way, and there is no room for what it finds. */
  #looksLater = false;
  #plan: Plan | null = null;
  #rules: RuleSet | null = null;
  #reportsWhenWalked = false;
  #triggersSinceCollected = 0;
  readonly #walkGarbage = new WalkGarbage();
  #isOver = false;
  /** There is room for what follows from more records. */
  #mayRead = true;
  /** performance.now() before which a pause is not said again. */
  #silentUntil = 0;

  constructor(start: ReaderStart, port: ReaderPort) {
    this.#start = start;
    this.#port = port;
    this.#counters = new Int32Array(start.shared);
    this.#lookout = new Lookout(start.shared);
    this.#unknownActors = new UnknownActors(this.#log);
    const actors = new Actors(this.#unknownActors);
    this.#families = new Families({
      counters: this.#counters,
      ownPid: process.pid,
      log: this.#log,
      allIsRead: () => this.#allIsRead,
    });
    this.#dispatch = new Dispatch(this.#lines, this.#triggers, {
      linesAreMany: () => this.#stdout.write(this.#lines.take()),
      overflow: (table) => this.#recoveries.lost(table),
      entrySeen: (...seen) => this.#catchUp.entrySeen(...seen),
      disk: this.#disk,
      actors,
      families: this.#families,
      ignoreFileChanged: (root, table) => void this.#ignoreChanged.set(root, table),
    });
    this.#catchUp = new CatchUp((...event) => this.#dispatch.synthetic(...event));
    this.#recoveries = new Recoveries({ catchUp: this.#catchUp, log: this.#log });
    const observer = {
      newDirectory: (node: Node, table: WatchTable, listing: Listing | null) =>
        this.#lookInto(node, table, { listing }),
      compared: (node: Node, table: WatchTable, listing: Listing) =>
        this.#recoveries.look(node, table, listing),
      placeDropped: (node: Node) => this.#catchUp.forget(node),
      interestsAdded: (node: Node, table: WatchTable, interests: Interests) =>
        this.#lookInto(node, table, { listing: null, interests }),
      rootReplaced: (...replaced: Parameters<WatcherObserver["rootReplaced"]>) =>
        this.#lookAtFile(...replaced),
      versionPassed: (file: WatchedFile) => this.#tellPassed(file),
      hasNewMounts: () => this.#seesNewMounts(),
      rootGone: () => void (this.#somethingCameOrWent = true),
    };
    const ownOutputs = new OwnOutputs([stdoutFd, stderrFd]);
    const sink = this.#dispatch;
    const asking = (path: Uint8Array): void => this.#lookout.at(path);
    const options = { log: this.#log, ownOutputs, observer, actors, sink, asking };
    this.#watcher = new Watcher(new Ladder(), options);
  }

  /** Runs until the program ends. */
  run(): void {
    this.#poll.set(controlSlot, this.#start.wakeFd, POLLIN);
    this.#poll.set(mountsSlot, this.#mountsFd?.number ?? -1, POLLPRI);
    while (!this.#isOver) {
      this.#wait();
      if (this.#poll.happened(controlSlot) !== 0) this.#takeMessages();
      if (this.#isOver) return; // nothing may be handed over after the last word
      const happened = this.#poll.happened(stdoutSlot);
      if (happened !== 0) this.#stdout.handlePoll(happened);
      this.#readAll();
      this.#families.look();
      if (this.#poll.happened(mountsSlot) !== 0) this.#hasNewMounts = true;
      if (this.#hasNewMounts) this.#checkMounts();
      if (this.#poll.happened(arrivalsSlot) !== 0 && this.#watcher.arrivals.read())
        this.#somethingCameOrWent = true;
      if (this.#somethingCameOrWent) this.#followArrivals();
      if (this.#poll.happened(configurationSlot) !== 0 && this.#configuration.read())
        this.#port.send({ kind: "configuration-changed" });
      this.#lookOn();
      this.#walkOn();
      this.#answerReadUps();
      if (this.#stdout.isGone) this.#finish({ kind: "stdout-gone" });
    }
  }

  /** What is queued may be about the filesystem that is gone. */
  #checkMounts(): void {
    this.#hasNewMounts = false;
    const seen = seeMounts(this.#watcher.tables, this.#mounts);
    this.#readWhatIsQueued();
    this.#setTime(nowMicroseconds());
    followMounts(seen);
    this.#catchUp.tellDue();
    this.#handOver();
    this.#somethingCameOrWent = true; // a path that is waited for may be on the new filesystem
  }

  /** Since poll(2) was asked, too: the kernel says it once. */
  #seesNewMounts(): boolean {
    if (this.#mountsFd !== null && pollOne(this.#mountsFd.number, POLLPRI, 0) !== 0)
      this.#hasNewMounts = true;
    return this.#hasNewMounts;
  }

  /** Records from before, of what goes now or is replaced, meet the tree from before. */
  #followArrivals(): void {
    this.#readWhatIsQueued();
    this.#somethingCameOrWent = false;
    this.#setTime(nowMicroseconds());
    this.#lookout.during(() => this.#watcher.follow());
    this.#catchUp.tellDue();
    this.#handOver();
  }

  /** Nothing else in this thread ever blocks. */
  #wait(): void {
    const hasRoom = (this.#mayRead = this.#hasRoom());
    this.#poll.set(stdoutSlot, this.#stdout.pollFd, this.#stdout.pollEvents);
    this.#poll.set(arrivalsSlot, hasRoom ? this.#watcher.arrivals.pollFd : -1, POLLIN);
    this.#poll.set(configurationSlot, this.#configuration.pollFd, POLLIN);
    this.#poll.set(pollSlot, hasRoom ? this.#watcher.polling.table.pollFd : -1, POLLIN);
    const tables = this.#watcher.tables;
    for (let slot = firstBackendSlot; slot < slots; slot++) {
      const table = tables[slot - firstBackendSlot];
      const listens = hasRoom && table !== undefined;
      this.#poll.set(slot, listens ? table.backend.fd : -1, POLLIN);
    }
    if (this.#triggersSinceCollected > collectAfterTriggers) {
      if (this.#poll.wait(0) > 0) return;
      this.#triggersSinceCollected = 0;
      Bun.gc(true); // a thread that waits in poll(2) never would
    }
    this.#poll.wait(this.#timeoutMs(tables));
  }

  #timeoutMs(tables: readonly WatchTable[]): number {
    if (this.#watcher.isWalking || this.#looksAgain || this.#somethingCameOrWent) return 0;
    if (this.#watcher.polling.table.isLooking && !this.#looksLater) return 0;
    if (this.#hasNewMounts) return 0;
    let timeoutMs = this.#recoveries.isActive ? renameWaitMs : this.#families.timeoutMs;
    for (let i = 0; i < tables.length; i++) {
      if (tables[i]!.backend.hasAhead && this.#mayRead) return 0;
      if (tables[i]!.isUnsettled) timeoutMs = renameWaitMs;
    }
    return timeoutMs;
  }

  /** Whether more may be read: a slow stdout or slow commands stop the reading, the kernel's queue fills. */
  #hasRoom(): boolean {
    const { backlogBytesMax, triggersWaitingMax } = this.#start;
    if (this.#stdout.backlogBytes >= backlogBytesMax) {
      this.#sayPause(
        `stdout is not read, ${backlogBytesMax >> 20} MiB of lines wait for its reader`,
      );
      return false;
    }
    if (this.#triggersWaiting() < triggersWaitingMax) return true;
    // Announce the wait, then look again: the main thread may have made room in between.
    Atomics.store(this.#counters, sharedCounters.readerWaits, 1);
    if (this.#triggersWaiting() < triggersWaitingMax) return true;
    this.#sayPause(`${triggersWaitingMax} commands wait to be started`);
    return false;
  }

  #triggersWaiting(): number {
    return Atomics.load(this.#counters, sharedCounters.triggersWaiting);
  }

  /** Reading may stop and go on many times a second; the log need not. */
  #sayPause(why: string): void {
    const now = performance.now();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + pauseSilenceMs;
    this.#log.warn(
      `Reading no more events for now: ${why}; the kernel queues, and then loses, what happens meanwhile`,
    );
  }

  #readAll(): void {
    const tables = this.#watcher.tables;
    for (let i = 0; i < tables.length; i++) {
      const table = tables[i]!;
      const hasAhead = table.backend.hasAhead && this.#mayRead;
      if (hasAhead || this.#poll.happened(firstBackendSlot + i) !== 0) this.#readOnce(table);
      else if (table.isUnsettled && table.backend.queuedBytes === 0) this.#settle(table);
    }
  }

  #settle(table: WatchTable): void {
    this.#setTime(nowMicroseconds());
    table.settle();
    this.#catchUp.tellDue();
    this.#handOver();
  }

  /** One read(2), and what follows from it: one write(2), one message. */
  #readOnce(table: WatchTable): number {
    const length = this.#read(table);
    this.#followIgnoreFiles();
    this.#catchUp.tellDue();
    this.#handOver();
    return length;
  }

  /** Lines and triggers from now on were read at this time. */
  #setTime(microseconds: number): void {
    this.#lines.setTime(microseconds);
    this.#triggers.time = microseconds;
  }

  #read(table: WatchTable): number {
    const now = nowMicroseconds();
    this.#setTime(now);
    this.#recoveries.of(table).beforeRead(now);
    this.#dispatch.watchedEntries = this.#catchUp.openLooks;
    this.#families.beginRead();
    return this.#dispatch.read(table);
  }

  get #allIsRead(): boolean {
    const { tables } = this.#watcher;
    return tables.every(({ backend }) => backend.queuedBytes === 0 && !backend.hasAhead);
  }

  /** Once for a read, however often they were written. */
  #followIgnoreFiles(): void {
    if (this.#ignoreChanged.size === 0) return;
    for (const [{ node }, table] of this.#ignoreChanged) if (node !== null) table.reconsider(node);
    this.#ignoreChanged.clear();
  }

  /** Triggers first: a command takes longer to start than a line to be written. */
  #handOver(): void {
    this.#sendTriggers();
    this.#stdout.write(this.#lines.take());
    this.#unknownActors.sayIfDue();
    const failure = this.#stdout.takeFailure();
    if (failure === null) return;
    this.#log.error(
      `Cannot write to stdout: ${failure.error.message}; lines lost: ${failure.lines}`,
    );
  }

  #sendTriggers(): void {
    const { count } = this.#triggers;
    if (count === 0) return;
    const buffer = this.#triggers.take();
    this.#triggersSinceCollected += count;
    Atomics.add(this.#counters, sharedCounters.triggersWaiting, count);
    const { generation } = this.#plan!;
    this.#port.send({ kind: "triggers", generation, count, buffer }, [buffer]);
  }

  /** A slice of a round of polling, if one is due. */
  #lookOn(): void {
    const { table } = this.#watcher.polling;
    if (this.#poll.happened(pollSlot) !== 0) table.startRound();
    if (!table.isLooking) return;
    this.#looksLater = !this.#hasRoom();
    if (this.#looksLater) return;
    this.#tellLooks(() => table.lookOn(lookSliceMs));
  }

  #tellLooks(look: () => void): void {
    this.#setTime(nowMicroseconds());
    this.#lookout.during(() => this.#dispatch.duringLooks(look));
    this.#handOver();
  }

  #walkOn(): void {
    this.#recover();
    if (this.#watcher.needsWalk) {
      for (const table of this.#watcher.tables) table.walk(directoriesPerSlice);
      this.#catchUp.tellDue();
      this.#handOver();
      const marks = this.#marks;
      Atomics.store(this.#counters, sharedCounters.marks, marks);
      this.#walkGarbage.collectIfMuch(marks);
    }
    if (this.#watcher.isWalking) return;
    this.#watcher.sayRefusals();
    if (!this.#reportsWhenWalked) return;
    if (this.#watcher.polling.table.isLooking) return; // what is there by now is not told
    this.#reportsWhenWalked = false;
    const plan = this.#plan!;
    const report = this.#watcher.report(plan);
    this.#port.send({ kind: "planned", generation: plan.generation, report });
    this.#walkGarbage.collect(this.#marks);
  }

  get #marks(): number {
    return this.#watcher.tables.reduce((sum, { backend }) => sum + backend.marks, 0);
  }

  /** Look for what has changed while records were lost. */
  #recover(): void {
    if (!this.#recoveries.isActive) return;
    this.#setTime(nowMicroseconds());
    this.#recoveries.step();
    this.#catchUp.tellDue();
    this.#handOver();
  }

  #takeMessages(): void {
    clearEventfd(this.#start.wakeFd);
    for (let message = this.#port.receive(); message !== null; message = this.#port.receive()) {
      if (message.kind === "plan") this.#apply(message.plan);
      else if (message.kind === "drain") this.#drain(message.flushMs);
      else if (message.kind === "read-up") this.#readUps.ask(this.#watcher.tables);
      else this.#configuration.watch(message.names);
    }
  }

  /** What happened before the reload meets the rules from before it. */
  #apply(plan: Plan): void {
    this.#readWhatIsQueued();
    const rules = new RuleSet(plan.rules, this.#rules, this.#disk);
    try {
      const retired = this.#lookout.during(() => this.#watcher.apply(plan, rules));
      if (retired !== null) this.#readOut(retired);
      this.#plan = plan;
      this.#rules = rules;
      this.#dispatch.setRules(rules);
      this.#reportsWhenWalked = true;
    } catch (error) {
      if (!(error instanceof WatchError)) throw error;
      this.#finish({ kind: "cannot-watch", text: error.message });
    }
  }

  /** What the new group is told of is told from the moment on up to which the old one has told it. */
  #readOut(retired: WatchTable): void {
    const tables = this.#watcher.tables.filter(({ backend }) => backend.name === "fanotify");
    const fresh = tables.map((table) =>
      groupOf(table, {
        read: () => this.#muted(() => this.#read(table)),
        settle: () => this.#muted(() => table.settle()),
      }),
    );
    const recovery = this.#recoveries.of(retired);
    const old = groupOf(retired, {
      read: () => this.#readOnce(retired),
      settle: () => (recovery.isActive ? this.#recover() : this.#settle(retired)),
      isRecovering: () => recovery.isActive,
    });
    const isExact = handOver(old, fresh[0] ?? nothingWatched);
    this.#followIgnoreFiles();
    this.#recoveries.delete(retired);
    retired.backend.close();
    if (!isExact)
      this.#log.warn(
        "Some events may be told twice: things happened all the time while fanotify was opened anew",
      );
  }

  #muted<Result>(follow: () => Result): Result {
    this.#dispatch.isMuted = true;
    const result = follow();
    this.#dispatch.isMuted = false;
    return result;
  }

  /** After everything else of a round: what follows from the records has been handed over. */
  #answerReadUps(): void {
    for (;;) {
      const { tables, isWalking } = this.#watcher;
      const openLooks = this.#catchUp.openLooks + (this.#recoveries.isActive ? 1 : 0);
      const next = this.#readUps.next({ tables, isWalking, openLooks });
      this.#looksAgain = next === "look";
      if (next !== "answer") return;
      this.#families.lookNow();
      this.#port.send({ kind: "read", seq: this.#lines.seq });
    }
  }

  #drain(flushMs: number): void {
    this.#readWhatIsQueued();
    this.#recoverWithin(flushMs);
    this.#lookOnceMore();
    this.#unknownActors.say();
    this.#port.send({ kind: "all-read" });
    const linesLost = this.#stdout.flushWithin(flushMs);
    this.#finish({ kind: "drained", linesLost });
  }

  /** What has changed since the last look, and what nobody will be told of. */
  #lookOnceMore(): void {
    const { table } = this.#watcher.polling;
    if (table.roots.size === 0) return;
    let isOver = false;
    this.#tellLooks(() => (isOver = table.lookOnce(lastLookMs)));
    if (!isOver) this.#log.warn("The last look took too long: the newest changes are not told");
    const { openEnded } = table;
    if (openEnded > 0)
      this.#log.warn(
        `Files that changed at the end, and may not be complete: ${openEnded}; ` +
          "no close_write was told of them",
      );
  }

  #recoverWithin(milliseconds: number): void {
    const deadline = performance.now() + milliseconds;
    while (this.#recoveries.isActive && performance.now() < deadline) this.#walkOn();
    if (this.#recoveries.isActive)
      this.#log.warn("Ending before all that changed while events were lost could be found");
  }

  /** Everything up to this moment, and nothing that comes while we read it: that could go on for ever. */
  #readWhatIsQueued(): void {
    for (const table of this.#watcher.tables) {
      const until = table.backend.end;
      while (table.backend.position < until && this.#readOnce(table) > 0);
    }
  }

  #lookInto(
    node: Node,
    table: WatchTable,
    what: { listing: Listing | null; interests?: Interests },
  ): void {
    if (this.#dispatch.isMuted) return;
    this.#catchUp.look(node, table, what);
    this.#dispatch.watchedEntries = this.#catchUp.openLooks;
  }

  #lookAtFile({ node }: Root, table: WatchTable, isBeingWritten: boolean): void {
    if (node === null || this.#dispatch.isMuted) return;
    this.#catchUp.lookAtFile(node, table, { isBeingWritten });
    this.#dispatch.watchedEntries = this.#catchUp.openLooks;
  }

  #tellPassed(file: WatchedFile): void {
    if (!this.#dispatch.isMuted) this.#catchUp.tellPassed(file);
  }

  #finish(message: FromReader): void {
    this.#port.send(message);
    this.#isOver = true;
  }

  readonly #log: Log = {
    info: (text) => this.#port.send({ kind: "log", level: "info", text }),
    warn: (text) => this.#port.send({ kind: "log", level: "warn", text }),
    error: (text) => this.#port.send({ kind: "log", level: "error", text }),
  };
}
