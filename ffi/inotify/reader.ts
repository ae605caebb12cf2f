/** A cursor over the inotify records that one read(2) put into a buffer. */
import { inotifyEventLayout as layout } from "./abi.ts";

/**
 * Stands on one record at a time and says where its name lies; it copies nothing.
 *
 * The kernel pads `len` so that records stay aligned to 16 bytes (inotify(7)), which lets the
 * fields be read as whole words.
 */
export class InotifyReader {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  #next = 0;
  #end = 0;

  wd = 0;
  /** Event bits, unsigned; bits that are not known here are kept. */
  mask = 0;
  cookie = 0;
  /** Where the name's first byte is in `bytes`; equal to `nameEnd` if the record has no name. */
  nameStart = 0;
  nameEnd = 0;

  /** @param bytes the read buffer; its offset and length are multiples of 4 */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** Start on a new read. @param length how many bytes read(2) gave */
  reset(length: number): void {
    this.#next = 0;
    this.#end = length;
  }

  /** More bytes were read behind those that there are. @param length of all */
  extend(length: number): void {
    this.#end = length;
  }

  /** Go to the next record. @returns false at the end. @throws {RangeError} on bytes that cannot be */
  next(): boolean {
    const at = this.#next;
    if (at === this.#end) return false;
    if (at + layout.size > this.#end) throw truncated(at, layout.size, this.#end);
    const words = this.#words;
    const word = at >> 2;
    const len = words[word + (layout.len >> 2)]! >>> 0;
    const nameStart = at + layout.size;
    const next = nameStart + len;
    if ((len & 3) !== 0 || next > this.#end) throw truncated(at, layout.size + len, this.#end);
    this.wd = words[word]!;
    this.mask = words[word + (layout.mask >> 2)]! >>> 0;
    this.cookie = words[word + (layout.cookie >> 2)]! >>> 0;
    this.nameStart = nameStart;
    this.nameEnd = this.#endOfName(nameStart, next);
    this.#next = next;
    return true;
  }

  /** Where the record ends in `bytes`. */
  get end(): number {
    return this.#next;
  }

  /**
   * Whether one of the next records of this read has the same cookie: the other half of a rename.
   *
   * @param records how many to look at
   */
  seesAhead(cookie: number, records: number): boolean {
    const words = this.#words;
    let at = this.#next;
    for (let i = 0; i < records && at + layout.size <= this.#end; i++) {
      const word = at >> 2;
      if (words[word + (layout.cookie >> 2)]! >>> 0 === cookie) return true;
      at += layout.size + (words[word + (layout.len >> 2)]! >>> 0);
    }
    return false;
  }

  /** The name ends at its first NUL; the padding behind it is up to 16 bytes. */
  #endOfName(start: number, limit: number): number {
    let end = start;
    while (end < limit && this.bytes[end] !== 0) end++;
    return end;
  }
}

function truncated(at: number, needed: number, end: number): RangeError {
  return new RangeError(
    `inotify record at byte ${at} says it is ${needed} bytes long, but the read ended at ${end}`,
  );
}
