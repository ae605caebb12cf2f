/** The mask of a facron table: `|` joins events that must all happen, `,` separates alternatives. */
import { meaningOf, unknownEvent, type Meaning } from "./event-names.ts";
import { conditionOf, type Mask, type NamedEvent } from "./facron-condition.ts";
import type { Field } from "./facron-fields.ts";
import { type GateMask, gateMaskOf, isOfGate } from "./gate-mask.ts";
import { quotedWord, type Findings } from "./findings.ts";
import { loneSeparator } from "./separators.ts";
import type { Span } from "./span.ts";

/** What a mask makes of its line. */
export type ReadMask =
  | { readonly kind: "rule"; readonly mask: Mask }
  | { readonly kind: "gate"; readonly mask: GateMask };

/** The mask in `field`; null if there is something wrong with it, which `findings` then have. */
export function readMask(field: Field, findings: Findings): ReadMask | null {
  if (field.isQuoted) {
    findings.error(field, `Quoted mask ${quotedWord(field.text)}: write it without quotes`);
    return null;
  }
  const before = findings.errorCount;
  // facron 1.1 took a separator at the end, and no other that separates nothing.
  const alternatives = alternativesIn(field, findings, { sparesLast: true });
  if (findings.errorCount > before) return null;
  if (isOfGate(alternatives)) {
    const mask = gateMaskOf(field, alternatives, findings);
    return mask === null ? null : { kind: "gate", mask };
  }
  const mask = conditionOf(field, alternatives, findings);
  return mask === null ? null : { kind: "rule", mask };
}

/**
 * What the commas of a mask separate, each with the names that `|` joins in it; none is empty.
 *
 * @param sparesLast a separator may stand at the end
 */
export function alternativesIn(
  mask: Piece,
  findings: Findings,
  { sparesLast }: { readonly sparesLast: boolean },
): NamedEvent[][] {
  const lone = loneSeparator(mask.text, { sparesLast });
  if (lone !== null) findings.error({ from: mask.from + lone.at, length: 1 }, lone.message);
  const alternatives = split(mask, ",").map((part) => namesIn(part, findings));
  return alternatives.filter((names) => names.length > 0);
}

/** Whether `text` can only be a mask: FAN_ and IN_ names that exist, and separators. */
export function isSurelyMask(text: string): boolean {
  if (!hasPrefix(text)) return false;
  const names = text.split(/[|,]/).filter((name) => name !== "");
  return names.every((name) => hasPrefix(name) && meaningOf(name) !== null);
}

export function hasPrefix(name: string): boolean {
  return /^(fan|in)_/i.test(name);
}

interface Piece extends Span {
  readonly text: string;
}

/** What is between the separators, empty pieces left out. */
function split(whole: Piece, separator: "," | "|"): Piece[] {
  const pieces: Piece[] = [];
  let from = whole.from;
  for (const text of whole.text.split(separator)) {
    if (text !== "") pieces.push({ text, from, length: text.length });
    from += text.length + 1;
  }
  return pieces;
}

/** The names of one alternative that may stand in a mask. */
function namesIn(alternative: Piece, findings: Findings): NamedEvent[] {
  const names: NamedEvent[] = [];
  for (const piece of split(alternative, "|")) {
    const meaning = meaningOf(piece.text);
    if (isUsable(meaning)) names.push({ ...piece, meaning });
    else findings.error(piece, whyNot(piece.text, meaning));
  }
  return names;
}

type Usable = NamedEvent["meaning"];

function isUsable(meaning: Meaning | null): meaning is Usable {
  return meaning !== null && meaning.kind !== "refused";
}

function whyNot(name: string, meaning: Exclude<Meaning, Usable> | null): string {
  if (meaning === null) return unknownEvent(name, quotedWord(name));
  return `Cannot use ${quotedWord(name)}: ${meaning.reason}`;
}
