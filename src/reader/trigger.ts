/** Triggers: what the reader thread tells the main thread to run, many in one transferred buffer. */
import { type SyntheticReason, syntheticReasons } from "../event.ts";
import { noFamily } from "../family/family.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { viewDirectory, viewSelf } from "../rule/view.ts";
import { packActor, unpackActor } from "./packed-actor.ts";

const viewBits = viewSelf | viewDirectory;

/** One trigger: a rule was met by one record. */
export interface Trigger {
  /** Index into the plan's rules. */
  readonly rule: number;
  readonly events: number;
  /** It happened to the watched path itself, and not to something in it. */
  readonly isSelf: boolean;
  readonly isDirectory: boolean;
  /** 0: not known. */
  readonly pid: number;
  /** Who did it, if the rule asks and it is known. */
  readonly actor: ActorFacts | null;
  /** The line of the same record on stdout. */
  readonly seq: number;
  /** When it was read: microseconds since 1970. */
  readonly time: number;
  /** Null: the kernel told of it. */
  readonly synthetic: SyntheticReason | null;
  /** The command of ours that did it, or whose descendant did: its pid. See `noFamily`. */
  readonly family: number;
  /** Its row in the journal; 0: it is not in it. */
  readonly ticket: number;
  readonly path: Uint8Array;
  /** The old path of a rename; empty for everything else. */
  readonly from: Uint8Array;
}

// One trigger in the buffer: 32-bit words, the two paths and the actor, then zeros up to a multiple of 4.
//   seq (two words, the lower one first: it may pass 2^32), rule, events,
//   pid, length of path, length of from, length of the actor,
//   time (two words), reason, family, ticket (two words)
// The journal keeps triggers as they are here: what changes the layout raises its `formatVersion`.
// The events carry the matcher's `viewSelf` and `viewDirectory` above their own bits.
const headerWords = 14;
const headerBytes = headerWords * 4;
const ruleWord = 2;
const timeWord = 8;
const reasonWord = 10;
const familyWord = 11;
const ticketWord = 12;
const wordRange = 0x1_0000_0000;

function setLong(words: Int32Array, word: number, value: number): void {
  words[word] = (value % wordRange) | 0;
  words[word + 1] = (value / wordRange) | 0;
}

function longAt(words: Int32Array, word: number): number {
  return (words[word]! >>> 0) + words[word + 1]! * wordRange;
}

/** Collects the triggers of one read. */
export class TriggerWriter {
  #bytes = new Uint8Array(64 * 1024);
  #words = new Int32Array(this.#bytes.buffer);
  #end = 0;
  #count = 0;
  /** Of what is added from now on: microseconds since 1970. */
  time = 0;

  get count(): number {
    return this.#count;
  }

  /**
   * The path is `pathA` followed by `pathB[bStart, bEnd)`: directory and name lie in two places.
   *
   * @param events with `viewSelf` and `viewDirectory`
   * @param actor as `packActor` gives it
   */
  add(
    rule: number,
    events: number,
    pid: number,
    seq: number,
    pathA: Uint8Array,
    pathB: Uint8Array,
    bStart: number,
    bEnd: number,
    from: Uint8Array | null,
    actor: Uint8Array | null = null,
    synthetic: SyntheticReason | null = null,
    family: number = noFamily,
  ): void {
    const pathLength = pathA.length + (bEnd - bStart);
    const fromLength = from === null ? 0 : from.length;
    const actorLength = actor === null ? 0 : actor.length;
    const size = (headerBytes + pathLength + fromLength + actorLength + 3) & ~3;
    if (this.#end + size > this.#bytes.length) this.#grow(size);
    const word = this.#end >> 2;
    const words = this.#words;
    setLong(words, word, seq);
    words[word + 2] = rule;
    words[word + 3] = events;
    words[word + 4] = pid;
    words[word + 5] = pathLength;
    words[word + 6] = fromLength;
    words[word + 7] = actorLength;
    setLong(words, word + timeWord, this.time);
    words[word + reasonWord] = synthetic === null ? 0 : syntheticReasons.indexOf(synthetic) + 1;
    words[word + familyWord] = family;
    setLong(words, word + ticketWord, 0);
    const at = this.#end + headerBytes;
    this.#bytes.set(pathA, at);
    for (let i = bStart, to = at + pathA.length; i < bEnd; i++, to++) this.#bytes[to] = pathB[i]!;
    if (from !== null) this.#bytes.set(from, at + pathLength);
    if (actor !== null) this.#bytes.set(actor, at + pathLength + fromLength);
    this.#end += size;
    this.#count++;
  }

  /** The triggers so far as a buffer of their own; the writer starts anew. */
  take(): ArrayBuffer {
    const buffer = this.#bytes.buffer.slice(0, this.#end);
    this.#end = 0;
    this.#count = 0;
    return buffer;
  }

  #grow(room: number): void {
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + room));
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
  }
}

/** Takes the triggers out of a buffer again, one at a time, in order. */
export class TriggerReader {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  #next: number;

  /** @param start of a trigger, in bytes */
  constructor(buffer: ArrayBuffer, start = 0) {
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#next = start;
  }

  /** The next trigger, or null at the end. Its paths are views into the buffer. */
  take(): Trigger | null {
    if (this.#next === this.#bytes.length) return null;
    const words = this.#words;
    const word = this.#next >> 2;
    const pathStart = this.#next + headerBytes;
    const fromStart = pathStart + words[word + 5]!;
    const actorStart = fromStart + words[word + 6]!;
    const end = actorStart + words[word + 7]!;
    const events = words[word + 3]!;
    this.#next = (end + 3) & ~3;
    return {
      seq: longAt(words, word),
      time: longAt(words, word + timeWord),
      synthetic: syntheticReasons[words[word + reasonWord]! - 1] ?? null,
      family: words[word + familyWord]!,
      ticket: longAt(words, word + ticketWord),
      rule: words[word + 2]!,
      events: events & ~viewBits,
      isSelf: (events & viewSelf) !== 0,
      isDirectory: (events & viewDirectory) !== 0,
      pid: words[word + 4]!,
      path: this.#bytes.subarray(pathStart, fromStart),
      from: this.#bytes.subarray(fromStart, actorStart),
      actor: end === actorStart ? null : unpackActor(this.#bytes.subarray(actorStart, end)),
    };
  }
}

/** Goes over the triggers of a buffer where they lie: for a thread that needs a few words of each. */
export class TriggerCursor {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  #start = 0;
  #end = 0;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  /** Go to the next, or first to the first. @returns false at the end */
  next(): boolean {
    this.#start = this.#end;
    if (this.#start === this.#bytes.length) return false;
    this.#end = this.#start + sizeAt(this.#words, this.#start >> 2);
    return true;
  }

  get rule(): number {
    return this.#words[(this.#start >> 2) + ruleWord]!;
  }

  set rule(index: number) {
    this.#words[(this.#start >> 2) + ruleWord] = index;
  }

  get events(): number {
    return this.#words[(this.#start >> 2) + 3]! & ~viewBits;
  }

  /** Microseconds since 1970. */
  get time(): number {
    return longAt(this.#words, (this.#start >> 2) + timeWord);
  }

  get synthetic(): SyntheticReason | null {
    return syntheticReasons[this.#words[(this.#start >> 2) + reasonWord]! - 1] ?? null;
  }

  get ticket(): number {
    return longAt(this.#words, (this.#start >> 2) + ticketWord);
  }

  set ticket(ticket: number) {
    setLong(this.#words, (this.#start >> 2) + ticketWord, ticket);
  }

  /** A view. */
  get path(): Uint8Array {
    const start = this.#start + headerBytes;
    return this.#bytes.subarray(start, start + this.#words[(this.#start >> 2) + 5]!);
  }

  /** All of it, as a view: triggers may follow one another in any buffer. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }
}

/** Triggers of one rule, in order. */
export interface RuleTriggers {
  /** Index into the plan's rules. */
  readonly rule: number;
  readonly buffer: ArrayBuffer;
  readonly count: number;
}

/** A buffer of triggers taken apart by their rules. */
export function triggersByRule(buffer: ArrayBuffer): RuleTriggers[] {
  const words = new Int32Array(buffer);
  const extents = new Map<number, { bytes: number; count: number }>();
  for (let at = 0; at < words.length; at += sizeAt(words, at) >> 2) {
    const rule = words[at + ruleWord]!;
    const extent = extents.get(rule);
    if (extent === undefined) {
      extents.set(rule, { bytes: sizeAt(words, at), count: 1 });
    } else {
      extent.bytes += sizeAt(words, at);
      extent.count++;
    }
  }
  const parts = new Map(
    Array.from(extents, ([rule, { bytes, count: triggers }]) => [
      rule,
      { rule, bytes: new Int32Array(bytes >> 2), count: triggers, end: 0 },
    ]),
  );
  for (let at = 0; at < words.length;) {
    const size = sizeAt(words, at) >> 2;
    const part = parts.get(words[at + ruleWord]!)!;
    part.bytes.set(words.subarray(at, at + size), part.end);
    part.end += size;
    at += size;
  }
  return Array.from(parts.values(), (part) => ({
    rule: part.rule,
    buffer: part.bytes.buffer,
    count: part.count,
  }));
}

/** The rule that all of these triggers are of, or null. */
export function onlyRuleIn(buffer: ArrayBuffer): number | null {
  const words = new Int32Array(buffer);
  const rule = words[ruleWord]!;
  for (let at = 0; at < words.length; at += sizeAt(words, at) >> 2)
    if (words[at + ruleWord] !== rule) return null;
  return rule;
}

/** Bytes of the trigger that begins at this word. */
function sizeAt(words: Int32Array, at: number): number {
  const texts = words[at + 5]! + words[at + 6]! + words[at + 7]!;
  return (headerBytes + texts + 3) & ~3;
}

/** A buffer with this one alone, as of rule 0. */
export function bufferOf(trigger: Trigger): ArrayBuffer {
  const { events, isSelf, isDirectory, pid, seq, path, from, actor, synthetic, family } = trigger;
  const { ticket } = trigger;
  const seen = events | (isSelf ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
  const packed = actor === null ? null : packActor(actor);
  const writer = new TriggerWriter();
  writer.time = trigger.time;
  writer.add(0, seen, pid, seq, path, path, 0, 0, from, packed, synthetic, family);
  const buffer = writer.take();
  const cursor = new TriggerCursor(buffer);
  if (cursor.next()) cursor.ticket = ticket;
  return buffer;
}

export interface Sifting {
  /** Whether a trigger of this family need not be looked at: it is kept. */
  readonly isSure: (family: number) => boolean;
  readonly keeps: (trigger: Trigger) => boolean;
}

/** Those of the triggers that are kept: the same object if all are. */
export function sift(triggers: RuleTriggers, { isSure, keeps }: Sifting): RuleTriggers {
  const { rule, buffer } = triggers;
  const words = new Int32Array(buffer);
  let kept = words;
  let count = 0;
  let end = 0;
  for (let at = 0; at < words.length;) {
    const size = sizeAt(words, at) >> 2;
    if (isSure(words[at + familyWord]!) || keeps(triggerAt(buffer, at * 4))) {
      if (kept !== words) kept.set(words.subarray(at, at + size), end);
      end += size;
      count++;
    } else if (kept === words) {
      kept = words.slice(); // those before stay where they are
    }
    at += size;
  }
  return kept === words ? triggers : { rule, buffer: kept.buffer.slice(0, end * 4), count };
}

/** The one that begins at this byte. */
function triggerAt(buffer: ArrayBuffer, start: number): Trigger {
  return new TriggerReader(buffer, start).take()!;
}

/** @returns a buffer with the first `count` of its triggers */
export function firstTriggers(buffer: ArrayBuffer, count: number): ArrayBuffer {
  const words = new Int32Array(buffer);
  let end = 0;
  for (let n = 0; n < count; n++) end += sizeAt(words, end) >> 2;
  return buffer.slice(0, end * 4);
}
