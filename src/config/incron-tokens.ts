/** incron's tokens in a command: `$$`, `$@`, `$#`, `$%`, `$&`. */
import type { ValueName } from "../rule/template.ts";
import type { Span } from "./span.ts";

/** What a token stands for, in the order in which a script gets them as $1 to $4. */
export const tokenValues = [
  "watched",
  "entry",
  "in_events",
  "in_mask",
] as const satisfies readonly ValueName[];

const tokens = "@#%&";

/** A token in a text stands as one char of its own, which no byte can be. */
const firstMarker = 0xe000;

export function markerIndex(char: string): number | null {
  const index = char.charCodeAt(0) - firstMarker;
  return index >= 0 && index < tokenValues.length ? index : null;
}

export const anyMarker = /[\ue000-\ue003]/;

export interface MarkedText {
  /** One char for one byte, tokens as markers. */
  readonly text: string;
  /** Where each char stands in the source. */
  readonly places: readonly number[];
  /** Dollars that incron drops, with what stands behind them. */
  readonly dropped: readonly Span[];
}

/** As incron replaces them: a dollar before anything else is dropped, and so is one at the end. */
export function markTokens(command: string, from: number): MarkedText {
  let text = "";
  const places: number[] = [];
  const dropped: Span[] = [];
  const put = (char: string, at: number): void => {
    text += char;
    places.push(from + at);
  };
  for (let at = 0; at < command.length; at++) {
    const char = command[at]!;
    const next = command[at + 1] ?? "";
    const token = tokens.indexOf(next);
    if (char !== "$") put(char, at);
    else if (next === "$") put("$", at++);
    else if (next !== "" && token >= 0) put(String.fromCharCode(firstMarker + token), at++);
    else dropped.push({ from: from + at, length: Math.min(2, command.length - at) });
  }
  return { text, places, dropped };
}

/** As it is written, for messages. */
export function writtenToken(char: string): string {
  return `$${tokens[markerIndex(char)!]}`;
}
