/** The text of an incron command: its tokens taken for what they stand for, each char with its place. */
import type { ValueName } from "../rule/template.ts";
import { quotedWord, type Findings } from "./findings.ts";

/** What incron can put into a command. */
export type TokenValue = Extract<ValueName, "watched" | "entry" | "in_events" | "in_mask">;

/** Text that a shell would read, with chars of their own for the tokens; other chars are one byte each. */
export interface Text {
  readonly chars: string;
  /** Where each char is in the source, and then the end. */
  readonly places: readonly number[];
}

/** Where incron replaces text; the chars are outside of Latin-1, so that no byte of a table is one. */
const tokens: Readonly<Record<string, { readonly value: TokenValue; readonly char: string }>> = {
  "@": { value: "watched", char: "\ue000" },
  "#": { value: "entry", char: "\ue001" },
  "%": { value: "in_events", char: "\ue002" },
  "&": { value: "in_mask", char: "\ue003" },
};

const all = Object.entries(tokens).map(([letter, token]) => ({ letter, ...token }));
const valuesByChar = new Map(all.map(({ char, value }) => [char, value]));
const lettersByChar = new Map(all.map(({ char, letter }) => [char, letter]));

/** Matches any token's char. */
export const tokenChar = /[\ue000-\ue003]/;

/** Matches those that other users may choose: a file's name, and the directory it is in. */
export const nameChar = /[\ue000\ue001]/;

/** Matches those that are no number. */
export const exceptMask = /[\ue000-\ue002]/;

export function tokenAt(chars: string, at: number): TokenValue | null {
  return valuesByChar.get(chars[at] ?? "") ?? null;
}

/** Text as it is written in a table. */
export function written(chars: string): string {
  return Array.from(chars, (char) => {
    const letter = lettersByChar.get(char);
    return letter === undefined ? char.replace("$", "$$$$") : `$${letter}`;
  }).join("");
}

/**
 * `$$` becomes a dollar, the other tokens a char each; the dollar before anything else is dropped, as
 * in incron, which deserves a warning: it is no variable of the shell's then.
 *
 * @param command one char for one byte
 * @param from where it starts in the source
 */
export function readTokens(command: string, from: number, findings: Findings): Text {
  let chars = "";
  const places: number[] = [];
  for (let at = 0; at < command.length; at++) {
    const next = command[at + 1];
    const place = from + at;
    if (command[at] !== "$") chars += command[at];
    else if (next === "$") chars += command[at++];
    else if (next !== undefined && Object.hasOwn(tokens, next)) {
      chars += tokens[next]!.char;
      at++;
    } else {
      findings.warning({ from: place, length: next === undefined ? 1 : 2 }, lostDollar(next));
      continue;
    }
    places.push(place);
  }
  places.push(from + command.length);
  return { chars, places };
}

function lostDollar(next: string | undefined): string {
  if (next === undefined) return 'Dollar at the end is dropped, as in incron: write "$$" for one';
  const shown = quotedWord(`$${next}`);
  return `Dollar of ${shown} is dropped, as in incron: write ${quotedWord(`$$${next}`)} if the shell shall have it`;
}
