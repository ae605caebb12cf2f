/** What the reader gives away: lines to stdout, triggers to the main thread, each batch in one piece. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { Log } from "../log.ts";
import { utf8 } from "../../ffi/bytes.ts";
import { JsonLines, type OthersLines } from "../output/json-lines.ts";
import { Writer } from "../output/writer.ts";
import { sharedCounters } from "./plan.ts";
import type { ReaderPort } from "./port.ts";
import { TriggerWriter } from "./trigger.ts";

export const stdoutFd = 1;

/** Bytes of lines that fit in before the buffer has to grow. */
const linesCapacity = 256 * 1024;

/** So many buffers handed over leave megabytes of garbage; collecting it takes a few milliseconds. */
const collectAfterTriggers = 10_000;

export interface OutboxOptions {
  readonly port: ReaderPort;
  readonly log: Log;
  /** As `sharedCounters` has them. */
  readonly counters: Int32Array;
}

export class Outbox {
  readonly stdout = new Writer(stdoutFd);
  readonly lines = new JsonLines(linesCapacity);
  readonly triggers = new TriggerWriter();
  /** Of the plan whose rules the triggers mean. */
  generation = 0;
  readonly #port: ReaderPort;
  readonly #log: Log;
  readonly #counters: Int32Array;
  #triggersSinceCollected = 0;
  #hasSent = false;

  constructor({ port, log, counters }: OutboxOptions) {
    this.#port = port;
    this.#log = log;
    this.#counters = counters;
  }

  /** What is told from now on has this time: one clock reading for a batch. */
  beginBatch(now = nowMicroseconds()): void {
    this.lines.setTime(now);
    this.triggers.time = now;
  }

  /** Triggers first: a command takes longer to start than a line to be written. */
  handOver(): void {
    this.#sendTriggers();
    this.writeLines();
    const failure = this.stdout.takeFailure();
    if (failure === null) return;
    this.#log.error(
      `Cannot write to stdout: ${failure.error.message}; lines lost: ${failure.lines}`,
    );
  }

  writeLines(): void {
    this.stdout.write(this.lines.take());
  }

  /** What another thread has to tell. */
  writeOthers(lines: OthersLines): void {
    this.lines.others(lines);
    if (lines.lost > 0) this.lines.loss(decisionsLost(lines.lost));
    this.writeLines();
  }

  #sendTriggers(): void {
    const { count } = this.triggers;
    if (count === 0) return;
    const buffer = this.triggers.take();
    const { generation } = this;
    this.#triggersSinceCollected += count;
    this.#hasSent = true;
    Atomics.add(this.#counters, sharedCounters.triggersWaiting, count);
    this.#port.send({ kind: "triggers", generation, count, buffer }, [buffer]);
  }

  /** Whether triggers were sent since this was asked last. */
  takeHasSent(): boolean {
    const hasSent = this.#hasSent;
    this.#hasSent = false;
    return hasSent;
  }

  get hasGarbage(): boolean {
    return this.#triggersSinceCollected > collectAfterTriggers;
  }

  /** A thread that waits in poll(2) never would. */
  collectGarbage(): void {
    this.#triggersSinceCollected = 0;
    Bun.gc(true);
  }
}

/** The start of the line about lines of gates that are missing. */
function decisionsLost(lines: number): Uint8Array {
  return utf8(`"decisions_lost":${lines}`);
}
