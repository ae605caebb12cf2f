/** Durations as people write them: "500ms", "2s", "5m", "1h30m". */

const millisecondsIn: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const units = ["h", "m", "s", "ms"];

/** A day: what is longer is a slip. */
const millisecondsMax = 24 * 3_600_000;

/** @returns milliseconds, or what is wrong with the text, as a clause with its cure */
export function parseDuration(text: string): number | string {
  if (/^\d+(\.\d+)?$/.test(text)) return `it has no unit; write "${text}s" or "${text}ms"`;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const isAllOfIt = parts.map(([part]) => part).join("") === text && parts.length > 0;
  if (!isAllOfIt) return 'it is no duration; write one like "500ms", "2s", "5m" or "1h30m"';
  const order = parts.map(([, , unit]) => units.indexOf(unit!));
  if (order.some((unit, at) => at > 0 && unit <= order[at - 1]!))
    return 'its units stand in the wrong order; write them from hours to milliseconds, as in "1h30m"';
  const total = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * millisecondsIn[unit!]!,
    0,
  );
  if (total > millisecondsMax) return 'it is too long; "24h" is the most';
  return total;
}

/** The same duration, as short as it can be written. */
export function durationText(milliseconds: number): string {
  let rest = Math.round(milliseconds);
  let text = "";
  for (const unit of units) {
    const count = Math.floor(rest / millisecondsIn[unit]!);
    rest -= count * millisecondsIn[unit]!;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}
