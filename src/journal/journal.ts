/** The journal, seen from the main thread: what is durable is in it from before its first run until its end. */
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from "node:worker_threads";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import type { Log } from "../log.ts";
import type {
  CatchUpWish,
  FollowedRule,
  FromJournal,
  GaveUp,
  JournalCounts,
  JournalThreadData,
  ToJournal,
} from "./messages.ts";
import type { JournalPlace } from "./place.ts";

/** Triggers that may be run now. */
export interface Stored<Rules> {
  /** What the indices in the buffer mean. */
  readonly rules: Rules;
  /** Tickets are filled in. They are 0 if the journal cannot be written: run, which is better than lost. */
  readonly buffer: ArrayBuffer;
  readonly count: number;
  /** So many of those that were added need no run, and are not in the buffer any more. */
  readonly skipped: number;
  /** They are none that were added: from before the start, or put back by facron queue. */
  readonly isFromBefore: boolean;
}

export interface JournalOptions<Rules> {
  /** The worker's file: `main.ts` knows where it lies, compiled or not. */
  readonly url: URL;
  readonly place: JournalPlace;
  readonly log: Log;
  readonly onStored: (stored: Stored<Rules>) => void;
  /** The answer to `count`; null: the journal cannot be read, which is logged. */
  readonly onCounted?: (counts: JournalCounts | null) => void;
  /** The thread ended without having been asked to. */
  readonly onDeath: (reason: string) => void;
}

/**
 * @typeParam Rules what the indices in triggers refer to, as the caller keeps it: one object for each plan
 */
export class Journal<Rules extends object> {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #wakeFd = openEventfd();
  readonly #options: JournalOptions<Rules>;
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #followed: ((wish: CatchUpWish | null) => void)[] = [];
  /** The numbers of the plans whose triggers may still come: see `follow`. */
  readonly #plans = new Map<number, Rules>();
  #plan = 0;
  /** Of what was added and is not stored yet. */
  readonly #added: Rules[] = [];
  readonly #dropped = new Set<number>();
  #started: number[] = [];
  #succeeded: number[] = [];
  #gaveUp: GaveUp[] = [];
  #readUntil: number | null = null;
  #hasNews = false;
  #isOver = false;

  constructor(options: JournalOptions<Rules>) {
    this.#options = options;
    const channel = new MessageChannel();
    this.#port = channel.port1;
    const { place, url } = options;
    const wakeFd = this.#wakeFd.number;
    const workerData: JournalThreadData = { place, port: channel.port2, wakeFd };
    // smol: as for the reader's thread.
    const workerOptions: WorkerOptions & { readonly smol: boolean } = {
      workerData,
      transferList: [channel.port2],
      smol: true,
    };
    this.#worker = new Worker(url, workerOptions);
    this.#worker.on("message", (message: FromJournal) => this.#take(message));
    this.#worker.on("error", (error: Error) => this.#died(error.stack ?? error.message));
    this.#worker.on("exit", (code) => this.#died(`it ended with code ${code}`));
  }

  get file(): string {
    return this.#options.place.file;
  }

  /** Resolves when the journal can be used. @throws {Error} with a sentence for the user if it cannot */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /**
   * From now on these rules are in force: their entries from before come by `onStored`, in the order in
   * which they were added, before what is added from now on. At most one plan is older than this one.
   *
   * @param durable those of `rules` that are durable
   * @returns what is to be looked for at the start; null if nothing is
   */
  follow(rules: Rules, durable: readonly FollowedRule[]): Promise<CatchUpWish | null> {
    const plan = ++this.#plan;
    this.#plans.set(plan, rules);
    this.#plans.delete(plan - 2);
    this.#send({ kind: "follow", plan, rules: durable });
    return new Promise((resolve) => this.#followed.push(resolve));
  }

  /**
   * Store triggers: they come back by `onStored`, when they are on the disk, in the order of the calls.
   *
   * @param rules as they were given to `follow`
   * @param buffer of a TriggerWriter; it is the journal's from now on. Those of rules that are not durable
   * come back as they are
   */
  add(rules: Rules, buffer: ArrayBuffer): void {
    this.#added.push(rules);
    this.#send({ kind: "add", plan: this.#planOf(rules), buffer }, [buffer]);
  }

  /** A run for these begins now. */
  started(tickets: readonly number[]): void {
    const now = nowMicroseconds();
    for (const ticket of tickets) this.#started.push(ticket, now);
    this.#tellSoon();
  }

  /** They are done with. */
  succeeded(tickets: readonly number[]): void {
    for (const ticket of tickets) this.#succeeded.push(ticket);
    this.#tellSoon();
  }

  /** They will not be tried again: `facron queue` lists them as dead. */
  gaveUp(tickets: readonly number[], { error, attempts }: Omit<GaveUp, "tickets">): void {
    if (tickets.length === 0) return;
    this.#gaveUp.push({ tickets, error, attempts });
    this.#tellSoon();
  }

  /**
   * All that happened before this was read, and its triggers were given to `add`: microseconds since 1970,
   * in the time of files.
   */
  allIsReadUntil(readUntil: number): void {
    this.#readUntil = readUntil;
    this.#tellSoon();
  }

  /** Whether a trigger that is about to be run was taken out by `facron queue`. It is asked once. */
  wasDropped(ticket: number): boolean {
    return this.#dropped.size > 0 && this.#dropped.delete(ticket);
  }

  /** Ask how many events are in it. */
  count(): void {
    this.#send({ kind: "count" });
  }

  /** Write what is left and end the thread: nothing may be called any more. */
  close(): Promise<void> {
    this.#tell();
    this.#send({ kind: "close" });
    return this.#closed.promise;
  }

  #planOf(rules: Rules): number {
    for (const [plan, one] of this.#plans) if (one === rules) return plan;
    return 0; // older than any that is known: run without a ticket
  }

  /** What happens in one task of the loop is one message. */
  #tellSoon(): void {
    if (this.#hasNews) return;
    this.#hasNews = true;
    // No setImmediate: while commands end all the time, Bun 1.4.5 does not get to those.
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    if (!this.#hasNews || this.#isOver) return;
    this.#hasNews = false;
    const started = new Float64Array(this.#started);
    const succeeded = new Float64Array(this.#succeeded);
    const gaveUp = this.#gaveUp;
    const readUntil = this.#readUntil;
    this.#started = [];
    this.#succeeded = [];
    this.#gaveUp = [];
    this.#readUntil = null;
    this.#send({ kind: "runs", started, succeeded, gaveUp, readUntil });
  }

  #send(message: ToJournal, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
    signalEventfd(this.#wakeFd.number);
  }

  #take(message: FromJournal): void {
    const { onStored, log } = this.#options;
    switch (message.kind) {
      case "opened":
        return this.#opened.resolve();
      case "cannot-open":
        this.#isOver = true;
        return this.#opened.reject(new Error(message.text));
      case "stored": {
        const { buffer, count, skipped } = message;
        return onStored({
          rules: this.#added.shift()!,
          buffer,
          count,
          skipped,
          isFromBefore: false,
        });
      }
      case "waiting": {
        const { plan, buffer, count } = message;
        const rules = this.#plans.get(plan)!;
        return onStored({ rules, buffer, count, skipped: 0, isFromBefore: true });
      }
      case "counted":
        return this.#options.onCounted?.(message.counts);
      case "followed":
        return this.#followed.shift()!(message.catchUp);
      case "dropped":
        for (const ticket of message.tickets) this.#dropped.add(ticket);
        return;
      case "log":
        return log[message.level](message.text);
      case "closed":
        this.#isOver = true;
        return this.#closed.resolve();
    }
  }

  #died(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onDeath(reason);
  }
}
