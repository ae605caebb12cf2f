/** The characters of a name that need not be UTF-8. */

/** A byte that belongs to no character, as Python's "surrogateescape": no text has such a character. */
const strayByte = 0xdc00;

/** The lowest character that needs so many bytes: less is an overlong form, which is none (RFC 3629). */
const lowestOfLength = [0, 0, 0x80, 0x800, 0x1_0000];

/** @returns the bytes themselves if they are ASCII, as almost always */
export function codePointsOf(bytes: Uint8Array): ArrayLike<number> {
  for (let at = 0; at < bytes.length; at++) if (bytes[at]! >= 0x80) return decoded(bytes);
  return bytes;
}

function decoded(bytes: Uint8Array): number[] {
  const characters: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at);
    const character = characterAt(bytes, at, length);
    if (character === null) characters.push(strayByte + bytes[at++]!);
    else {
      characters.push(character);
      at += length;
    }
  }
  return characters;
}

/** What the first byte says. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function characterAt(bytes: Uint8Array, at: number, length: number): number | null {
  const first = bytes[at]!;
  if (length === 1) return first;
  if (first < 0xc2 || first > 0xf4) return null;
  let character = first & (0x7f >> length);
  for (let next = at + 1; next < at + length; next++) {
    const byte = bytes[next];
    if (byte === undefined || (byte & 0xc0) !== 0x80) return null;
    character = (character << 6) | (byte & 0x3f);
  }
  const isSurrogate = character >= 0xd800 && character <= 0xdfff;
  const isSound = character >= lowestOfLength[length]! && character <= 0x10_ffff && !isSurrogate;
  return isSound ? character : null;
}
