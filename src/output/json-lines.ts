/** One event, one JSON line: bytes appended to a buffer that goes to stdout after each read. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import type { SyntheticReason } from "../event.ts";
import { escapedBytesMax, escapeInto, type PathPrefix, wasNotUtf8 } from "./json-text.ts";

/** Lines that another thread has made, but for what each begins with: they are numbered here. */
export interface OthersLines {
  /** Each ends with a newline. */
  readonly bytes: ArrayBuffer;
  /** Microseconds since 1970. */
  readonly time: number;
  /** Lines that were left out before these, as too many were on their way. */
  readonly lost: number;
}

const newline = 0x0a;

const lineStart = utf8('{"v":1,"seq":');
const timeStart = utf8(',"time":"');
const fromStart = utf8('","from":"');
const dirTrue = utf8(',"dir":true');
const pidStart = utf8(',"pid":');
const pathBytesStart = utf8(',"path_bytes":"');
const fromBytesStart = utf8(',"from_bytes":"');
const lost = utf8(',"lost":true');
const syntheticText: Record<SyntheticReason, Uint8Array> = {
  "new-directory": utf8(',"synthetic":"new-directory"'),
  appeared: utf8(',"synthetic":"appeared"'),
  overflow: utf8(',"synthetic":"overflow"'),
  poll: utf8(',"synthetic":"poll"'),
  restart: utf8(',"synthetic":"restart"'),
};
const quoteByte = 0x22;

/** `2026-11-20T18:46:20`; a point and six digits follow. */
const dateCharacters = 19;

/** Fixed parts of a line are below this; names and prefixes come on top. */
const fixedBytesMax = 256;

export class JsonLines {
  #bytes: Uint8Array<ArrayBuffer>;
  #end = 0;
  #seq = 0;
  #lines = 0;
  /** One clock reading serves one read, and the date part a whole second. */
  readonly #time = utf8('1970-01-01T00:00:00.000000Z",');
  #second = 0;
  readonly #digits = new Uint8Array(20);

  /** @param capacity bytes; the owner takes the lines out before it is passed for long */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Number of the last line. */
  get seq(): number {
    return this.#seq;
  }

  /** The next line is the one after this. */
  continueAfter(seq: number): void {
    this.#seq = seq;
  }

  get byteLength(): number {
    return this.#end;
  }

  get lines(): number {
    return this.#lines;
  }

  /** The time that the following lines carry. @param microseconds since 1970 */
  setTime(microseconds: number): void {
    const seconds = Math.floor(microseconds / 1e6);
    if (seconds !== this.#second) {
      this.#second = seconds;
      this.#time.set(utf8(new Date(seconds * 1000).toISOString().slice(0, dateCharacters)));
    }
    let fraction = microseconds - seconds * 1e6;
    for (let at = dateCharacters + 6; at > dateCharacters; at--) {
      const rest = Math.floor(fraction / 10);
      this.#time[at] = 0x30 + (fraction - rest * 10);
      fraction = rest;
    }
  }

  /** Lines so far; valid until the next call on this object. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    this.#lines = 0;
    return bytes;
  }

  /**
   * Append an event's line.
   *
   * @param head `"rules":[...],"events":[...],"path":"`, made once for each kind of event
   * @param name the buffer in which the name lies
   * @param from the old path of a rename, or null
   * @param actor as `actorJson` gives it, or null
   * @returns the line's sequence number
   */
  event(
    head: Uint8Array,
    prefix: PathPrefix,
    name: Uint8Array,
    start: number,
    end: number,
    isDirectory: boolean,
    pid: number,
    from: PathPrefix | null = null,
    synthetic: SyntheticReason | null = null,
    actor: Uint8Array | null = null,
  ): number {
    const names = prefix.json.length + (end - start) * escapedBytesMax + prefix.raw.length * 2;
    const others = (from === null ? 0 : from.json.length) + (actor === null ? 0 : actor.length);
    this.#reserve(fixedBytesMax + head.length + names + others);
    this.#start();
    this.#copy(head);
    this.#copy(prefix.json);
    this.#end = escapeInto(this.#bytes, this.#end, name, start, end);
    const isUtf8 = prefix.isUtf8 && !wasNotUtf8;
    if (from !== null) {
      this.#copy(fromStart);
      this.#copy(from.json);
    }
    this.#bytes[this.#end++] = quoteByte;
    if (isDirectory) this.#copy(dirTrue);
    if (pid > 0) {
      this.#copy(pidStart);
      this.#number(pid);
    }
    if (actor !== null) this.#copy(actor);
    if (synthetic !== null) this.#copy(syntheticText[synthetic]);
    if (!isUtf8) this.#exactly(pathBytesStart, prefix.raw, name.subarray(start, end));
    if (from !== null && !from.isUtf8) this.#exactly(fromBytesStart, from.raw);
    this.#finish();
    return this.#seq;
  }

  /** Append a line about a loss: no path, `"lost":true`. @param head `"events":[...]` */
  loss(head: Uint8Array): number {
    this.#reserve(fixedBytesMax + head.length);
    this.#start();
    this.#copy(head);
    this.#copy(lost);
    this.#finish();
    return this.#seq;
  }

  /** Append lines that another thread has made. */
  others({ bytes, time }: OthersLines): void {
    const made = new Uint8Array(bytes);
    this.setTime(time);
    for (let start = 0; start < made.length;) {
      const end = made.indexOf(newline, start) + 1;
      this.#reserve(fixedBytesMax + end - start);
      this.#start();
      this.#copy(made.subarray(start, end));
      start = end;
    }
  }

  #start(): void {
    this.#seq++;
    this.#lines++;
    this.#copy(lineStart);
    this.#number(this.#seq);
    this.#copy(timeStart);
    this.#copy(this.#time);
  }

  #finish(): void {
    this.#bytes[this.#end++] = 0x7d; // }
    this.#bytes[this.#end++] = 0x0a;
  }

  /** Base64 of an exact path; names that are not UTF-8 are rare, so a string may be made. */
  #exactly(start: Uint8Array, directory: Uint8Array, name?: Uint8Array): void {
    const text = btoa(latin1(directory) + (name === undefined ? "" : latin1(name)));
    this.#reserve(fixedBytesMax + text.length);
    this.#copy(start);
    this.#copy(utf8(`${text}"`));
  }

  /** A loop: the pieces are short, and `set` costs more than they do. */
  #copy(piece: Uint8Array): void {
    const bytes = this.#bytes;
    let to = this.#end;
    for (let i = 0; i < piece.length; i++) bytes[to++] = piece[i]!;
    this.#end = to;
  }

  #number(value: number): void {
    const digits = this.#digits;
    let at = digits.length;
    do {
      const rest = Math.floor(value / 10);
      digits[--at] = 0x30 + (value - rest * 10);
      value = rest;
    } while (value > 0);
    const bytes = this.#bytes;
    let to = this.#end;
    while (at < digits.length) bytes[to++] = digits[at++]!;
    this.#end = to;
  }

  #reserve(room: number): void {
    if (this.#end + room <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + room));
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
  }
}
