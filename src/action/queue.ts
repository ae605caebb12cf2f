/** The triggers that wait for a command to end: first in, first out, kept as the bytes they came as. */
import { type Trigger, TriggerReader } from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import { type LetGo, ticketsIn } from "./tickets.ts";

/** A trigger with the rules that its index means: a reload changes them for later triggers only. */
export interface WaitingTrigger {
  readonly rules: readonly Rule[];
  /** Its paths are views into a buffer that the queue has let go. */
  readonly trigger: Trigger;
}

interface Batch {
  readonly rules: readonly Rule[];
  readonly buffer: ArrayBuffer;
}

/** Buffers of up to half of it are put together: a million lone triggers are not a million objects. */
const gatherBytes = 64 * 1024;
/** To begin with: there are rules by the thousand. */
const gatherBytesMin = 1024;
const noBytes = new Uint8Array(0);
const noRules: readonly Rule[] = [];

/** No object per trigger: the bytes, and one small object for each 32 KiB of them or more. */
export class TriggerQueue {
  #length = 0;
  /** The buffer that triggers are taken from, then whole buffers, then the small ones gathered. */
  #reader: TriggerReader | null = null;
  #readerRules = noRules;
  #batches: Batch[] = [];
  #gathered = noBytes;
  #gatheredEnd = 0;
  #gatheredRules = noRules;

  /** How many triggers wait. */
  get length(): number {
    return this.#length;
  }

  /** @param buffer of a TriggerWriter, with `count` triggers in it; it is the queue's from now on */
  push(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    this.#length += count;
    const isFirst = this.#batches.length === 0 && this.#gatheredEnd === 0;
    if (isFirst || buffer.byteLength > gatherBytes / 2) {
      this.#seal();
      this.#batches.push({ rules, buffer });
    } else {
      this.#gather(rules, new Uint8Array(buffer));
    }
  }

  /** The trigger that has waited longest, or null if none waits. */
  take(): WaitingTrigger | null {
    for (;;) {
      const trigger = this.#reader?.take() ?? null;
      if (trigger !== null) {
        const taken = { rules: this.#readerRules, trigger };
        if (--this.#length === 0) this.#release();
        return taken;
      }
      if (!this.#openNext()) return null;
    }
  }

  /** Let all of them go. @param into where they are counted */
  clear(into: LetGo): void {
    into.add(this.#length, this.#tickets());
    this.#length = 0;
    this.#release();
  }

  /** Nothing is kept for a rule that has nothing to do. */
  #release(): void {
    this.#reader = null;
    this.#readerRules = noRules;
    if (this.#batches.length > 0) this.#batches = [];
    this.#gathered = noBytes;
    this.#gatheredEnd = 0;
    this.#gatheredRules = noRules;
  }

  #tickets(): number {
    let count = 0;
    for (let one = this.#reader?.take(); one; one = this.#reader?.take())
      if (one.ticket !== 0) count++;
    this.#seal();
    for (const { buffer } of this.#batches) count += ticketsIn(buffer);
    return count;
  }

  /** Triggers may follow one another in any buffer: their layout is the same at each multiple of 4. */
  #gather(rules: readonly Rule[], triggers: Uint8Array): void {
    const fits = this.#gatheredEnd + triggers.length <= gatherBytes;
    if (!fits || rules !== this.#gatheredRules) this.#seal();
    this.#makeRoom(this.#gatheredEnd + triggers.length);
    this.#gathered.set(triggers, this.#gatheredEnd);
    this.#gatheredEnd += triggers.length;
    this.#gatheredRules = rules;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#gathered.length) return;
    const doubled = Math.max(bytes, 2 * this.#gathered.length, gatherBytesMin);
    const grown = new Uint8Array(Math.min(doubled, gatherBytes));
    grown.set(this.#gathered.subarray(0, this.#gatheredEnd));
    this.#gathered = grown;
  }

  /** What was gathered becomes a buffer of its own. */
  #seal(): void {
    if (this.#gatheredEnd === 0) return;
    const { buffer } = this.#gathered.slice(0, this.#gatheredEnd);
    this.#batches.push({ rules: this.#gatheredRules, buffer });
    this.#gatheredEnd = 0;
  }

  /** @returns whether there is one more buffer to read */
  #openNext(): boolean {
    if (this.#batches.length === 0) this.#seal();
    const batch = this.#batches.shift();
    this.#reader = batch === undefined ? null : new TriggerReader(batch.buffer);
    this.#readerRules = batch?.rules ?? noRules;
    return batch !== undefined;
  }
}
