/** THE MAIN PATH of the journal's thread: wait, take all that has come, write it at once, say so. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { clockTickMicroseconds, nowMicroseconds } from "../../ffi/clock.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { clearEventfd } from "../../ffi/eventfd.ts";
import type { Fd } from "../../ffi/fd.ts";
import { clearFifo, listenAtFifo } from "../../ffi/fifo.ts";
import { POLLIN, PollSet } from "../../ffi/poll.ts";
import { quoted } from "../log.ts";
import { TriggerCursor } from "../reader/trigger.ts";
import { Attempts } from "./attempts.ts";
import { type Add, Batch } from "./batch.ts";
import { claimJournal } from "./claim.ts";
import { changedAt, goneAt } from "./file-times.ts";
import { faultText, JournalError } from "./fault.ts";
import type {
  CatchUpWish,
  FollowedRule,
  FromJournal,
  JournalCounts,
  RunNews,
  ToJournal,
} from "./messages.ts";
import type { JournalPlace } from "./place.ts";
import { Repeats } from "./repeats.ts";
import { openJournal } from "./schema.ts";
import { packed, withoutSkipped, withoutTickets } from "./packing.ts";
import { deadMax, type NewEntry, Store } from "./store.ts";

/** A run is written down when it has taken so long: most are over by then. */
const shortRunMs = 1_000;

/**
 * A file is closed so soon after its last change, most of the time: what changed so long before the last
 * moment of which all is known is looked at again after the start. Microseconds.
 */
const closeSlack = 2_000_000;

/** What is done is kept no longer, even if the reader does not get to say that all is read. */
const doneKeptMax = 60_000_000;

const controlSlot = 0;
const wakeSlot = 1;

export interface JournalPort {
  /** The next message from the main thread, or null. */
  receive(): ToJournal | null;
  send(message: FromJournal, transfer?: ArrayBuffer[]): void;
}

export interface JournalThreadOptions {
  readonly place: JournalPlace;
  readonly wakeFd: number;
}

export class JournalLoop {
  readonly #place: JournalPlace;
  readonly #wakeFd: number;
  readonly #port: JournalPort;
  readonly #poll = new PollSet(2);
  readonly #lock: Disposable;
  readonly #store: Store;
  readonly #attempts: Attempts;
  readonly #wake: Fd | null;
  /** Names of the durable rules of the last two plans, by index: triggers of the older may still come. */
  readonly #plans = new Map<number, ReadonlyMap<number, string>>();
  #followed: readonly FollowedRule[] = [];
  #plan = 0;
  /** Rules whose entries from before have been handed over. */
  readonly #adopted = new Set<string>();
  #keepsDone = false;
  /** Until all that a look found has come. */
  #repeats: Repeats | null = null;
  #batch = new Batch();
  /** Runs that are under way, and when they were started: microseconds since 1970. */
  readonly #running = new Map<number, number>();
  /** Those of them that are not in the file. */
  #unwritten = new Set<number>();
  /** performance.now() at which they are old enough to be. */
  #writeRunsAt = Infinity;
  #isOver = false;

  /** @throws {JournalError} */
  constructor({ place, wakeFd }: JournalThreadOptions, port: JournalPort) {
    this.#place = place;
    this.#wakeFd = wakeFd;
    this.#port = port;
    this.#attempts = new Attempts(place.file, (level, text) => this.#say(level, text));
    this.#lock = claimJournal(place);
    this.#store = openStore(place);
    this.#wake = this.#listen();
    this.#takeOver();
  }

  /** Runs until it is told to close. */
  run(): void {
    this.#port.send({ kind: "opened" });
    this.#poll.set(controlSlot, this.#wakeFd, POLLIN);
    this.#poll.set(wakeSlot, this.#wake?.number ?? -1, POLLIN);
    while (!this.#isOver) {
      this.#poll.wait(this.#timeoutMs());
      if (this.#poll.happened(controlSlot) !== 0) this.#takeMessages();
      if (performance.now() >= this.#writeRunsAt) this.#noteLongRuns();
      this.#commit();
      if (this.#poll.happened(wakeSlot) !== 0 && !this.#isOver) this.#followQueue();
    }
  }

  #timeoutMs(): number {
    if (this.#writeRunsAt === Infinity) return -1;
    return Math.max(Math.ceil(this.#writeRunsAt - performance.now()), 0);
  }

  #listen(): Fd | null {
    try {
      return listenAtFifo(cString(utf8(this.#place.wake)), 0o600);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#say(
        "warn",
        `Cannot listen at ${quoted(this.#place.wake)}: ${error.message}; what facron queue changes is seen at the next start`,
      );
      return null;
    }
  }

  #takeOver(): void {
    let interrupted = 0;
    this.#attempts.attempt("write", () =>
      this.#store.commit(() => void (interrupted = this.#store.takeOver())),
    );
    if (interrupted > 0)
      this.#say("warn", `Commands that were interrupted and are run again: ${interrupted}`);
  }

  #takeMessages(): void {
    clearEventfd(this.#wakeFd);
    for (let message = this.#port.receive(); message !== null; message = this.#port.receive()) {
      switch (message.kind) {
        case "add":
          this.#batch.adds.push(message);
          break;
        case "runs":
          this.#take(message);
          break;
        case "follow":
          this.#commit();
          this.#follow(message.rules, message.plan);
          break;
        case "count":
          this.#commit();
          this.#count();
          break;
        case "close":
          this.#commit();
          return this.#close();
      }
    }
  }

  #take({ started, succeeded, gaveUp, readUntil }: RunNews): void {
    for (let at = 0; at < started.length; at += 2) {
      this.#running.set(started[at]!, started[at + 1]!);
      this.#unwritten.add(started[at]!);
    }
    if (this.#unwritten.size > 0 && this.#writeRunsAt === Infinity)
      this.#writeRunsAt = performance.now() + shortRunMs;
    for (const ticket of succeeded) this.#batch.succeeded.push(ticket);
    for (const ticket of succeeded) this.#unwritten.delete(ticket);
    for (const one of gaveUp) {
      this.#batch.gaveUp.push(one);
      for (const ticket of one.tickets) this.#unwritten.delete(ticket);
    }
    this.#batch.readUntil = readUntil ?? this.#batch.readUntil;
  }

  /** They are in the list of facron queue, and known to be interrupted if we are. */
  #noteLongRuns(): void {
    this.#writeRunsAt = Infinity;
    for (const ticket of this.#unwritten)
      this.#batch.started.set(ticket, this.#running.get(ticket)!);
    this.#unwritten = new Set();
  }

  /** Everything that has arrived, in one transaction. */
  #commit(): void {
    const batch = this.#batch;
    if (batch.isEmpty) return;
    this.#batch = new Batch();
    const stored: FromJournal[] = [];
    const isWritten = this.#attempts.attempt("write", () =>
      this.#store.commit(() => {
        for (const add of batch.adds) stored.push(this.#add(add));
        if (batch.adds.length > 0) this.#store.keepNextId();
        this.#write(batch);
      }),
    );
    if (isWritten) this.#forget(batch);
    else this.#batch.takeOver(batch);
    const answers = isWritten ? stored : batch.adds.map(({ buffer }) => notStored(buffer));
    for (const answer of answers)
      this.#port.send(answer, "buffer" in answer ? [answer.buffer] : []);
  }

  #add({ plan, buffer }: Add): FromJournal {
    const names = this.#plans.get(plan);
    const cursor = new TriggerCursor(buffer);
    const skipped: boolean[] = [];
    let skips = 0;
    while (cursor.next()) {
      const rule = names?.get(cursor.rule);
      const isRepeat = rule !== undefined && this.#repeats?.has(rule, cursor) === true;
      skipped.push(isRepeat);
      if (isRepeat) skips++;
      else if (rule !== undefined) cursor.ticket = this.#store.add(rule, this.#entryAt(cursor));
    }
    const kept = skips === 0 ? buffer : withoutSkipped(buffer, skipped);
    return { kind: "stored", buffer: kept, count: skipped.length - skips, skipped: skips };
  }

  /** A run that comes after this finds the file changed at that time, or later. */
  #entryAt({ time, path, bytes }: TriggerCursor): NewEntry {
    const changed = this.#keepsDone ? changedAt(path) : goneAt;
    return { came: time, changed, trigger: bytes };
  }

  #write({ started, succeeded, gaveUp, readUntil }: Batch): void {
    for (const [ticket, at] of started) this.#store.begin(ticket, at);
    for (const ticket of succeeded) {
      const at = this.#running.get(ticket) ?? null;
      this.#store.done(ticket, this.#keepsDone ? at : null);
    }
    const died = nowMicroseconds();
    for (const { tickets, attempts, error } of gaveUp)
      for (const ticket of tickets) this.#store.bury(ticket, { attempts, died, error });
    if (gaveUp.length > 0) this.#limitDead();
    if (readUntil !== null) this.#allIsReadUntil(readUntil);
  }

  #limitDead(): void {
    const gone = this.#store.limitDead();
    if (gone > 0)
      this.#say("warn", `Dropped the ${gone} oldest events that died: ${deadMax} are kept`);
  }

  #allIsReadUntil(readUntil: number): void {
    this.#store.readUntil = readUntil;
    this.#store.purge(Math.max(readUntil - closeSlack, nowMicroseconds() - doneKeptMax));
    this.#repeats = null;
  }

  #forget({ succeeded, gaveUp }: Batch): void {
    for (const ticket of succeeded) this.#running.delete(ticket);
    for (const { tickets } of gaveUp) for (const ticket of tickets) this.#running.delete(ticket);
  }

  #follow(rules: readonly FollowedRule[], plan: number): void {
    const wish = this.#plans.size === 0 ? this.#catchUpWish(rules) : null;
    this.#followed = rules;
    this.#plan = plan;
    this.#plans.set(plan, new Map(rules.map(({ index, name }) => [index, name])));
    for (const older of this.#plans.keys()) if (older < plan - 1) this.#plans.delete(older);
    const followed = rules.filter(({ catchesUp }) => catchesUp).map(({ name }) => name);
    this.#keepsDone = followed.length > 0;
    const now = nowMicroseconds() - clockTickMicroseconds(); // in the time of files
    this.#attempts.attempt("write", () =>
      this.#store.commit(() => this.#store.follow(followed, now)),
    );
    this.#attempts.attempt("read", () => {
      this.#adopt();
      if (wish !== null) this.#repeats = this.#repeatsSince(wish.since);
    });
    this.#port.send({ kind: "followed", catchUp: wish });
  }

  /** What happened while facron was down: for the rules that were there before. */
  #catchUpWish(rules: readonly FollowedRule[]): CatchUpWish | null {
    const { readUntil, followed } = this.#store;
    const before = rules.filter(({ name, catchesUp }) => catchesUp && followed.has(name));
    if (before.length === 0) return null;
    const begun = Math.min(...before.map(({ name }) => followed.get(name)!));
    const since = Math.max((readUntil ?? begun) - closeSlack, begun); // null: it was killed at once
    return { since, rules: before.map(({ index }) => index) };
  }

  #repeatsSince(since: number): Repeats {
    const readUntil = this.#store.readUntil ?? 0;
    return new Repeats(this.#store.handledSince(since), {
      tick: clockTickMicroseconds(),
      readUntil,
    });
  }

  /** Entries from before, of the rules that are new here. */
  #adopt(): void {
    const waiting = this.#store.waiting();
    const names = new Set(this.#followed.map(({ name }) => name));
    const fresh = new Set([...names].filter((name) => !this.#adopted.has(name)));
    for (const name of fresh) this.#adopted.add(name);
    if ([...fresh].some((name) => waiting.has(name))) this.#handOver(this.#store.entriesOf(fresh));
    for (const [name, count] of waiting) {
      if (this.#adopted.has(name)) continue;
      this.#say(
        "warn",
        `${count === 1 ? "1 event waits" : `${count} events wait`} in the journal for the rule ${quoted(name)}, which is no durable rule of this configuration: they are run when it is there again, or drop them: facron queue drop --rule ${quoted(name)}`,
      );
    }
  }

  #handOver(entries: Parameters<typeof packed>[0]): void {
    const indexOf = new Map(this.#followed.map(({ name, index }) => [name, index]));
    const plan = this.#plan;
    for (const { buffer, count } of packed(entries, indexOf))
      this.#port.send({ kind: "waiting", plan, buffer, count }, [buffer]);
  }

  /** facron queue has changed something. */
  #followQueue(): void {
    if (this.#wake !== null) clearFifo(this.#wake);
    this.#attempts.attempt("write", () => {
      const names = new Set(this.#followed.map(({ name }) => name));
      let dropped: number[] = [];
      let retried: ReturnType<Store["takeRetried"]> = [];
      this.#store.commit(() => {
        dropped = this.#store.takeDropped();
        retried = this.#store.takeRetried(names);
      });
      if (dropped.length > 0) this.#port.send({ kind: "dropped", tickets: dropped });
      this.#handOver(retried);
    });
  }

  #count(): void {
    let counts: JournalCounts | null = null;
    this.#attempts.attempt("read", () => {
      counts = { ...this.#store.count(), running: this.#running.size };
    });
    this.#port.send({ kind: "counted", counts });
  }

  #close(): void {
    this.#isOver = true;
    this.#attempts.attempt("write", () => this.#store.close());
    this.#wake?.close();
    this.#lock[Symbol.dispose]();
    this.#port.send({ kind: "closed" });
  }

  #say(level: "info" | "warn" | "error", text: string): void {
    this.#port.send({ kind: "log", level, text });
  }
}

/** @throws {JournalError} also for damage that is not in its first page, and is met at the first query */
function openStore({ file, configuration }: JournalThreadOptions["place"]): Store {
  const database = openJournal(file, configuration);
  try {
    return new Store(database);
  } catch (error) {
    throw new JournalError(faultText("open", file, error));
  }
}

/** Run, which is better than lost. */
function notStored(buffer: ArrayBuffer): FromJournal {
  return { kind: "stored", buffer, count: withoutTickets(buffer), skipped: 0 };
}

/** @returns the loop, or null if the journal cannot be used, which is said */
export function openLoop(options: JournalThreadOptions, port: JournalPort): JournalLoop | null {
  try {
    return new JournalLoop(options, port);
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    port.send({ kind: "cannot-open", text: error.message });
    return null;
  }
}
