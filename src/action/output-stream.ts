/** What one command writes, divided into lines for the log; too much of it is counted and thrown away. */
import { lossyText } from "../../ffi/bytes.ts";
import { printable } from "../log.ts";

/** In so much time so much of one command: a log that turns over in minutes is of no use to anybody. */
const windowMs = 10_000;
const linesMax = 1_000;
const bytesMax = 256 * 1024;

/** Of one line; syslog daemons and journald cut at about the same. */
const lineBytesMax = 8 * 1024;

/** What has no newline yet (a prompt, a row of dots) is shown after this time without more. */
const partialMs = 1_000;

const newline = 0x0a;

/** Takes lines as they are to stand in the log. */
export interface Said {
  readonly level: "info" | "warn";
  readonly text: string;
}

export class OutputStream {
  /** `rule "import" [pid 123]` */
  readonly #source: string;
  readonly #say: (said: Said) => void;
  readonly #line = new Uint8Array(lineBytesMax);
  #length = 0;
  /** When it got its last byte. */
  #touchedAt = 0;
  /** The rest of a line that was cut, or thrown away in part. */
  #skipsToNewline = false;
  #windowStart = -Infinity;
  #lines = 0;
  #bytes = 0;
  #thrownAway = 0;

  constructor(source: string, say: (said: Said) => void) {
    this.#source = source;
    this.#say = say;
  }

  /** When `tick` has something to do; Infinity: not before more is taken. */
  get dueAt(): number {
    const window = this.#thrownAway > 0 ? this.#windowStart + windowMs : Infinity;
    return this.#length > 0 ? Math.min(window, this.#touchedAt + partialMs) : window;
  }

  /** @param nowMs of performance.now() */
  take(bytes: Uint8Array, nowMs: number): void {
    this.#turnWindow(nowMs);
    this.#touchedAt = nowMs;
    for (let at = 0; at < bytes.length;) {
      if (this.#isFlood()) return this.#throwAway(bytes, at);
      const found = bytes.indexOf(newline, at);
      const end = found < 0 ? bytes.length : found;
      this.#append(bytes.subarray(at, end));
      if (found >= 0) this.#endLine();
      this.#bytes += end + 1 - at;
      at = end + 1;
    }
  }

  tick(nowMs: number): void {
    if (this.#length > 0 && nowMs >= this.#touchedAt + partialMs) this.#flush("");
    if (this.#thrownAway > 0) this.#turnWindow(nowMs);
  }

  /** No more will come. */
  end(): void {
    if (this.#length > 0) this.#flush("");
    this.#sayThrownAway();
  }

  warn(text: string): void {
    this.#say({ level: "warn", text: `${this.#source}: ${text}` });
  }

  #isFlood(): boolean {
    return this.#lines >= linesMax || this.#bytes >= bytesMax;
  }

  #throwAway(bytes: Uint8Array, from: number): void {
    this.#thrownAway += bytes.length - from + this.#length;
    this.#length = 0;
    this.#skipsToNewline = bytes[bytes.length - 1] !== newline;
  }

  #turnWindow(nowMs: number): void {
    if (nowMs < this.#windowStart + windowMs) return;
    this.#sayThrownAway();
    this.#windowStart = nowMs;
    this.#lines = 0;
    this.#bytes = 0;
  }

  #append(bytes: Uint8Array): void {
    if (this.#skipsToNewline) return;
    const taken = bytes.subarray(0, lineBytesMax - this.#length);
    this.#line.set(taken, this.#length);
    this.#length += taken.length;
    if (taken.length === bytes.length) return;
    this.#length = characterStart(this.#line, this.#length);
    this.#flush(" [line cut at 8 KiB]");
    this.#skipsToNewline = true;
  }

  #endLine(): void {
    if (!this.#skipsToNewline) this.#flush("");
    this.#skipsToNewline = false;
  }

  #flush(ending: string): void {
    const text = printable(lossyText(this.#line.subarray(0, this.#length)));
    this.#length = 0;
    this.#lines++;
    this.#say({ level: "info", text: `${this.#source}: ${text}${ending}` });
  }

  #sayThrownAway(): void {
    if (this.#thrownAway === 0) return;
    this.warn(
      `${this.#thrownAway} bytes of its output were thrown away: more than ${linesMax} lines or ${bytesMax / 1024} KiB in ${windowMs / 1000} s; output = "/a/file" keeps all`,
    );
    this.#thrownAway = 0;
  }
}

/** Where the last character of UTF-8 begins, if it is not whole; else `end`. */
function characterStart(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 4 && back <= end; back++) {
    const byte = bytes[end - back]!;
    if ((byte & 0xc0) === 0x80) continue; // in the middle of one
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? end - back : end;
  }
  return end;
}
