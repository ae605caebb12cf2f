/** Triggers that a full queue cost: each is counted, and the log says so now and then. */
import { type Log, quoted } from "../log.ts";

/** One line for each rule in this time. */
const silenceMs = 10_000;

export class Losses {
  readonly #name: string;
  readonly #log: Log;
  #count = 0;
  #timer: Timer | null = null;

  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  /** @param maxQueued of the rule */
  add(count: number, maxQueued: number): void {
    this.#count += count;
    if (this.#timer !== null) return;
    this.#say(maxQueued);
    this.#timer = setTimeout(() => this.#sayRest(maxQueued), silenceMs);
  }

  #sayRest(maxQueued: number): void {
    this.#timer = null;
    if (this.#count > 0) this.add(0, maxQueued);
  }

  #say(maxQueued: number): void {
    const events = this.#count === 1 ? "1 event" : `${this.#count} events`;
    this.#count = 0;
    this.#log.warn(
      `rule ${quoted(this.#name)}: ${events} dropped, as ${maxQueued} waited: raise max_queued or max_running, or write when_full = "block"`,
    );
  }
}
