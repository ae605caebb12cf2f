/** Byte strings as C has them: no encoding, NUL at the end. */

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Works on any Uint8Array. */
const { latin1Slice } = Buffer.prototype;

/** `bytes` with the NUL that every C path needs. */
export function cString(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text that `bytes` are, or null if they are not UTF-8. */
export function textOrNull(bytes: Uint8Array): string | null {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return null;
  }
}

/** Readable text: what is not UTF-8 becomes U+FFFD. */
export function lossyText(bytes: Uint8Array): string {
  return lossyDecoder.decode(bytes);
}

/** One char for one byte: an exact key for a Map, and the way back is `fromLatin1`. */
export function latin1(bytes: Uint8Array): string {
  return latin1Before(bytes, bytes.length);
}

/** The same of what comes before `end`. */
export function latin1Before(bytes: Uint8Array, end: number): string {
  // Not by way of `bytes.buffer`: a small array gets an ArrayBuffer then, and keeps it.
  return latin1Slice.call(bytes, 0, end);
}

export function fromLatin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * A path as text from which `pathBytes` finds its way back: a byte that is of no UTF-8 character becomes a
 * lone surrogate, as Python's "surrogateescape" has it. Written out as UTF-8 that is U+FFFD.
 */
export function pathText(bytes: Uint8Array): string {
  const whole = textOrNull(bytes);
  if (whole !== null) return whole;
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    text += character ?? String.fromCharCode(strayByte + bytes[at]!);
    at += character === null ? 1 : utf8(character).length;
  }
  return text;
}

/** The bytes of a path, which `pathText` gave or which is any text. */
export function pathBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return utf8(text);
  const bytes = Array.from(text, (character) => {
    const stray = character.charCodeAt(0) - strayByte;
    const isStray = character.length === 1 && stray >= 0x80 && stray <= 0xff;
    return isStray ? Uint8Array.of(stray) : utf8(character);
  });
  return new Uint8Array(Buffer.concat(bytes));
}

const strayByte = 0xdc00;

/** RFC 3629: it takes up to four bytes. */
function characterAt(bytes: Uint8Array, at: number): string | null {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    const text = textOrNull(bytes.subarray(at, at + length));
    if (text !== null) return text;
  }
  return null;
}
