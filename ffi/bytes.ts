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
  // Not by way of `bytes.buffer`: a small array gets an ArrayBuffer then, and keeps it.
  return latin1Slice.call(bytes, 0, bytes.length);
}

export function fromLatin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
