/** What facron was started with, byte for byte: environment, words and working directory. */
import { readFileSync, readlinkSync } from "node:fs";
import { latin1, pathText, utf8 } from "../ffi/bytes.ts";

/**
 * What Bun reads once, as it starts: facron starts itself a second time with these. The numbers are ours
 * alone.
 */
const runtimeSettings = [
  /**
   * Bun collects garbage every second for half a minute, and every 30 seconds after that: 30 ms of CPU
   * for a daemon that has nothing to do (measured on 1.4.5). Milliseconds.
   */
  "BUN_GC_TIMER_INTERVAL=3600001",
  /**
   * JavaScriptCore lets more garbage gather the more memory the machine has: 10,000 commands took 47 MiB
   * over idle, and with this 38. With a third of it they took 33, but 10,000 rules were ready a quarter
   * later, for the collecting (measured on 1.4.5, 24 GiB). Bytes.
   */
  "BUN_JSC_forceRAMSize=201326591",
];

/** `NAME=value` entries for commands. */
export function givenEnvironment(): Uint8Array[] {
  return ownEnvironment().filter((entry) => !runtimeSettings.includes(latin1(entry)));
}

/** For the second start; null if this is it. What the user has set stays. */
export function environmentForSecondStart(): Uint8Array[] | null {
  const own = ownEnvironment();
  const names = new Set(own.map((entry) => nameOf(latin1(entry))));
  const missing = runtimeSettings.filter((setting) => !names.has(nameOf(setting)));
  return missing.length === 0 ? null : [...own, ...missing.map(utf8)];
}

function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf("="));
}

function ownEnvironment(): Uint8Array[] {
  return splitAtNul(readFileSync("/proc/self/environ"));
}

/** The words of our command line, byte for byte: JavaScript's copies have lost what is not UTF-8. */
export function commandLine(): Uint8Array[] {
  return splitAtNul(readFileSync("/proc/self/cmdline"));
}

/** The words that JavaScript has, with what is not UTF-8 in them (`pathText`). @param words the last of the command line */
export function typedWords(words: readonly string[]): readonly string[] {
  if (!words.some(hasLost)) return words;
  return commandLine().slice(-words.length).map(pathText);
}

/** Likewise. @throws {Error} ENOENT if it was removed */
export function workingDirectory(): string {
  const directory = process.cwd();
  if (!hasLost(directory)) return directory;
  return pathText(readlinkSync("/proc/self/cwd", { encoding: "buffer" }));
}

/** Whether it may have been more than this text. */
function hasLost(text: string): boolean {
  return text.includes("\uFFFD");
}

function splitAtNul(bytes: Uint8Array): Uint8Array[] {
  const pieces = [];
  for (let start = 0, end; (end = bytes.indexOf(0, start)) >= 0; start = end + 1) {
    pieces.push(bytes.subarray(start, end));
  }
  return pieces;
}

/** A variable of ours; null if it is not set, or empty. */
export function variable(name: "RUNTIME_DIRECTORY" | "XDG_RUNTIME_DIR"): string | null {
  return process.env[name] || null;
}
