/** Bracket expressions: `[abc]`, `[a-z]`, `[!a]`, `[^a]`, `[[:digit:]]` (glob(7), "Wildcard matching"). */

export interface CharacterSet {
  readonly isNegated: boolean;
  /** First and last, by number. */
  readonly ranges: readonly Range[];
}

type Range = readonly [number, number];

const code = (character: string): number => character.charCodeAt(0);

const open = code("[");
const close = code("]");
const colon = code(":");
const hyphen = code("-");
const backslash = code("\\");
const exclamation = code("!");
const caret = code("^");

const digit: Range = [0x30, 0x39];
const upper: Range = [0x41, 0x5a];
const lower: Range = [0x61, 0x7a];

/** As in the C locale, in which daemons run. */
const classes: Readonly<Record<string, readonly Range[]>> = {
  alnum: [digit, upper, lower],
  alpha: [upper, lower],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0x00, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: [digit],
  graph: [[0x21, 0x7e]],
  lower: [lower],
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
  ],
  upper: [upper],
  xdigit: [digit, [0x41, 0x46], [0x61, 0x66]],
};

export function isMember({ isNegated, ranges }: CharacterSet, character: number): boolean {
  const isInside = ranges.some(([first, last]) => character >= first && character <= last);
  return isInside !== isNegated;
}

interface FoundSet {
  readonly set: CharacterSet;
  /** The place behind it. */
  readonly end: number;
  readonly hasUnknownClass: boolean;
  /** The first range that runs backwards: where it starts, and the place behind it. */
  readonly backwards: readonly [number, number] | null;
}

/**
 * The set whose bracket is at `start`.
 *
 * A `]` that comes first is a member; a range that runs backwards has none, to git its first.
 *
 * @returns null if it is never closed: then the bracket means itself
 */
export function setAt(
  pattern: ArrayLike<number>,
  start: number,
  { isOfGit = false } = {},
): FoundSet | null {
  const isNegated = pattern[start + 1] === exclamation || pattern[start + 1] === caret;
  const first = start + (isNegated ? 2 : 1);
  const ranges: Range[] = [];
  let hasUnknownClass = false;
  let backwards: readonly [number, number] | null = null;
  for (let at = first; at < pattern.length;) {
    if (pattern[at] === close && at > first)
      return { set: { isNegated, ranges }, end: at + 1, hasUnknownClass, backwards };
    const named = classAt(pattern, at);
    hasUnknownClass ||= named?.isKnown === false;
    const part = named ?? rangeAt(pattern, at, isOfGit);
    if (part.isBackwards === true) backwards ??= [at, part.end];
    ranges.push(...part.ranges);
    at = part.end;
  }
  return null;
}

interface Part {
  readonly ranges: readonly Range[];
  readonly end: number;
  readonly isBackwards?: true;
}

/** `[:digit:]`. A class that is not known has no members. */
function classAt(
  pattern: ArrayLike<number>,
  at: number,
): (Part & { readonly isKnown: boolean }) | null {
  if (pattern[at] !== open || pattern[at + 1] !== colon) return null;
  let name = "";
  for (let next = at + 2; next + 1 < pattern.length; next++) {
    const character = pattern[next]!;
    if (character === colon && pattern[next + 1] === close) {
      const isKnown = Object.hasOwn(classes, name);
      return { ranges: isKnown ? classes[name]! : [], end: next + 2, isKnown };
    }
    if (character < lower[0] || character > lower[1]) return null;
    name += String.fromCharCode(character);
  }
  return null;
}

/** `a`, or `a-z`; a hyphen at the end is a member. */
function rangeAt(pattern: ArrayLike<number>, start: number, keepsFirst: boolean): Part {
  const first = memberAt(pattern, start);
  const { end } = first;
  const isRange = pattern[end] === hyphen && end + 1 < pattern.length && pattern[end + 1] !== close;
  const last = isRange ? memberAt(pattern, end + 1) : first;
  if (first.character <= last.character)
    return { ranges: [[first.character, last.character]], end: last.end };
  const ranges: Range[] = keepsFirst ? [[first.character, first.character]] : [];
  return { ranges, end: last.end, isBackwards: true };
}

function memberAt(
  pattern: ArrayLike<number>,
  at: number,
): { readonly character: number; readonly end: number } {
  const isEscaped = pattern[at] === backslash && at + 1 < pattern.length;
  return isEscaped
    ? { character: pattern[at + 1]!, end: at + 2 }
    : { character: pattern[at]!, end: at + 1 };
}
