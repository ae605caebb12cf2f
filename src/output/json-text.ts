/** File names as the inside of a JSON string, from bytes to bytes. */

const backslash = 0x5c;
const quote = 0x22;
const hex = new TextEncoder().encode("0123456789abcdef");

/** Short escapes of JSON (RFC 8259 section 7), by the byte they stand for. */
const shortEscapes = new Uint8Array(0x20);
shortEscapes[0x08] = 0x62; // \b
shortEscapes[0x09] = 0x74; // \t
shortEscapes[0x0a] = 0x6e; // \n
shortEscapes[0x0c] = 0x66; // \f
shortEscapes[0x0d] = 0x72; // \r

/** A name's byte takes at most this many bytes: \u00XX for a control character. */
export const escapedBytesMax = 6;

/** What `escapeInto` says beside the new end: bit 0 set means "was not UTF-8". */
export let wasNotUtf8 = false;

/**
 * Write `from[start, end)` into `to` at `at`, escaped; what is not UTF-8 becomes U+FFFD.
 *
 * `wasNotUtf8` tells afterwards whether that happened. `to` must have room for `escapedBytesMax`
 * times as many bytes.
 *
 * @returns where the written bytes end
 */
export function escapeInto(
  to: Uint8Array,
  at: number,
  from: Uint8Array,
  start: number,
  end: number,
): number {
  wasNotUtf8 = false;
  let i = start;
  while (i < end) {
    const byte = from[i]!;
    if (byte < 0x80) {
      if (byte >= 0x20 && byte !== quote && byte !== backslash) to[at++] = byte;
      else at = escapeAscii(to, at, byte);
      i++;
      continue;
    }
    const length = sequenceLength(from, i, end);
    if (length === 0) {
      wasNotUtf8 = true;
      to[at++] = 0xef; // U+FFFD in UTF-8
      to[at++] = 0xbf;
      to[at++] = 0xbd;
      i++;
      continue;
    }
    for (const last = i + length; i < last; i++) to[at++] = from[i]!;
  }
  return at;
}

function escapeAscii(to: Uint8Array, at: number, byte: number): number {
  to[at++] = backslash;
  if (byte === quote || byte === backslash) to[at++] = byte;
  else if (shortEscapes[byte] !== 0) to[at++] = shortEscapes[byte]!;
  else {
    to[at++] = 0x75; // u
    to[at++] = 0x30;
    to[at++] = 0x30;
    to[at++] = hex[byte >> 4]!;
    to[at++] = hex[byte & 15]!;
  }
  return at;
}

/** Length of the well-formed UTF-8 sequence at `i` (Unicode table 3-7), 0 if it is none. */
function sequenceLength(from: Uint8Array, i: number, end: number): number {
  const lead = from[i]!;
  const second = i + 1 < end ? from[i + 1]! : 0;
  if (lead >= 0xc2 && lead <= 0xdf) return isTail(second) ? 2 : 0;
  const third = i + 2 < end ? from[i + 2]! : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80; // no overlong forms
    const high = lead === 0xed ? 0x9f : 0xbf; // no surrogates
    return second >= low && second <= high && isTail(third) ? 3 : 0;
  }
  const fourth = i + 3 < end ? from[i + 3]! : 0;
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf; // nothing above U+10FFFF
    return second >= low && second <= high && isTail(third) && isTail(fourth) ? 4 : 0;
  }
  return 0;
}

function isTail(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** All of `bytes` as the inside of a JSON string. */
export function escaped(bytes: Uint8Array): { json: Uint8Array; isUtf8: boolean } {
  const room = new Uint8Array(bytes.length * escapedBytesMax);
  const end = escapeInto(room, 0, bytes, 0, bytes.length);
  return { json: room.slice(0, end), isUtf8: !wasNotUtf8 };
}

/** A path in two pieces, as the watch tree has it: the directory's part is escaped once and kept. */
export interface PathPrefix {
  /** Raw bytes, with the slash that the name follows; or the whole path of a watched file. */
  readonly raw: Uint8Array;
  /** The same as the inside of a JSON string. */
  readonly json: Uint8Array;
  readonly isUtf8: boolean;
}

/** A path that lines can start with or hold. */
export function pathPrefix(raw: Uint8Array): PathPrefix {
  return { raw, ...escaped(raw) };
}
