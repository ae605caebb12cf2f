/** Signals as people write them: "HUP", "SIGHUP". */
import { constants } from "node:os";
import { didYouMean } from "./did-you-mean.ts";

const signals: Readonly<Record<string, number>> = constants.signals;

/** @returns its number, or what is wrong with the text, as a clause with its cure */
export function parseSignal(text: string): number | string {
  const name = text.toUpperCase();
  const number = signals[name.startsWith("SIG") ? name : `SIG${name}`];
  if (number !== undefined) return number;
  const numbered = /^\d+$/.test(text) ? nameOf(Number(text)) : undefined;
  if (numbered !== undefined) return `signals are written by name; write "${numbered.slice(3)}"`;
  const names = Object.keys(signals);
  const meant = didYouMean(text, [...names, ...names.map((one) => one.slice(3))]);
  return `there is no such signal; ${meant === null ? 'write one like "HUP" or "TERM"' : `did you mean "${meant}"?`}`;
}

/** `SIGHUP` for 1. */
export function signalName(number: number): string {
  return nameOf(number) ?? `SIG${number}`;
}

function nameOf(number: number): string | undefined {
  return Object.keys(signals).find((name) => signals[name] === number);
}
