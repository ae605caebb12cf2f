/** The separators of a list of events: which of them separate nothing. */

export interface LoneSeparator {
  readonly at: number;
  readonly message: string;
}

/**
 * The first "," or "|" with no name on one of its sides; null if each has two, or there are no names at all.
 *
 * @param sparesLast one at the end is nothing to speak of
 */
export function loneSeparator(
  text: string,
  { sparesLast }: { readonly sparesLast: boolean },
): LoneSeparator | null {
  if (/^[\s,|]*$/.test(text)) return null;
  const before = /(?:^|[,|])\s*([,|])/d.exec(text);
  if (before !== null) return fault("before", before);
  const after = sparesLast ? null : /([,|])\s*$/d.exec(text);
  return after === null ? null : fault("after", after);
}

function fault(side: "before" | "after", match: RegExpExecArray): LoneSeparator {
  const message = `Missing event ${side} "${match[1]}": write one, or remove the "${match[1]}"`;
  return { at: match.indices![1]![0], message };
}
