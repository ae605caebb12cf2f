/** Sizes of files as people write them: "64MiB", "1.5 GB", "4096". */
import { quoted } from "../log.ts";

const factors: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** @returns bytes, or what is wrong and its cure */
export function sizeOf(text: string): number | string {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined)
    return `Cannot read ${quoted(text)} as a size: write a number and a unit, e.g. "64MiB"`;
  const factor = factors[unit.toLowerCase()];
  if (factor === undefined) return wrongUnit(text, digits, unit);
  const bytes = Number(digits) * factor;
  if (!Number.isSafeInteger(Math.round(bytes)))
    return `Cannot use ${quoted(text)} as a size: no file is as large; write a smaller one`;
  if (factor === 1 && digits.includes("."))
    return `Cannot use ${quoted(text)} as a size: it is no whole number of bytes; name a unit, e.g. "${digits}MiB"`;
  return Math.round(bytes);
}

function wrongUnit(text: string, digits: string, unit: string): string {
  if (!/^[kmgt]i?$/i.test(unit))
    return `Unknown unit in ${quoted(text)}: use B, kB, MB, GB, TB, or KiB, MiB, GiB, TiB`;
  const letter = unit[0]!.toUpperCase();
  const decimal = letter === "K" ? "k" : letter;
  return `Ambiguous unit in ${quoted(text)}: write "${digits}${letter}iB" (powers of 1024) or "${digits}${decimal}B" (of 1000)`;
}

const units = [
  [1024, ["KiB", "MiB", "GiB", "TiB"]],
  [1000, ["kB", "MB", "GB", "TB"]],
] as const;

/** The way back: the largest unit in which it is a whole number. */
export function sizeText(bytes: number): string {
  for (const [base, names] of units) {
    let power = 0;
    while (power < names.length && bytes > 0 && bytes % base ** (power + 1) === 0) power++;
    if (power > 0) return `${bytes / base ** power} ${names[power - 1]}`;
  }
  return `${bytes} B`;
}
