/** Triggers: what the reader thread tells the main thread to run, many in one transferred buffer. */
import type { ActorFacts } from "../rule/actor.ts";
import { viewDirectory, viewSelf } from "../rule/view.ts";
import { unpackActor } from "./packed-actor.ts";

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
  readonly path: Uint8Array;
  /** The old path of a rename; empty for everything else. */
  readonly from: Uint8Array;
}

// One trigger in the buffer: eight 32-bit words, the two paths and the actor, then zeros up to a multiple of 4.
//   seq (two words, as it may pass 2^32: low, high), rule, events, pid, length of path, length of from,
//   length of the actor
// The events carry the matcher's `viewSelf` and `viewDirectory` above their own bits.
const headerWords = 8;
const headerBytes = headerWords * 4;

/** Collects the triggers of one read. */
export class TriggerWriter {
  #bytes = new Uint8Array(64 * 1024);
  #words = new Int32Array(this.#bytes.buffer);
  #end = 0;
  #count = 0;

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
  ): void {
    const pathLength = pathA.length + (bEnd - bStart);
    const fromLength = from === null ? 0 : from.length;
    const actorLength = actor === null ? 0 : actor.length;
    const size = (headerBytes + pathLength + fromLength + actorLength + 3) & ~3;
    if (this.#end + size > this.#bytes.length) this.#grow(size);
    const word = this.#end >> 2;
    const words = this.#words;
    words[word] = (seq % 0x1_0000_0000) | 0;
    words[word + 1] = (seq / 0x1_0000_0000) | 0;
    words[word + 2] = rule;
    words[word + 3] = events;
    words[word + 4] = pid;
    words[word + 5] = pathLength;
    words[word + 6] = fromLength;
    words[word + 7] = actorLength;
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
  #next = 0;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
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
      seq: (words[word]! >>> 0) + words[word + 1]! * 0x1_0000_0000,
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
