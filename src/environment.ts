/** What facron was started with, byte for byte: environment, words and working directory. */
import { readFileSync, readlinkSync } from "node:fs";
import { latin1, pathText, utf8 } from "../ffi/bytes.ts";

/**
 * Bun collects garbage every second for half a minute, and every 30 seconds after that: 30 ms of CPU
 * for a daemon that has nothing to do (measured on 1.4.5). It reads this variable once, as it starts,
 * so facron starts itself a second time with it. The number of milliseconds is ours alone.
 */
export const quietRuntime = "BUN_GC_TIMER_INTERVAL=3600001";
const quietRuntimeName = quietRuntime.slice(0, quietRuntime.indexOf("=") + 1);

/** `NAME=value` entries for commands. */
export function givenEnvironment(): Uint8Array[] {
  return ownEnvironment().filter((entry) => latin1(entry) !== quietRuntime);
}

/** For the second start; null if this is it, or if the user has set the variable. */
export function environmentForSecondStart(): Uint8Array[] | null {
  const own = ownEnvironment();
  const isSet = own.some((entry) => latin1(entry).startsWith(quietRuntimeName));
  return isSet ? null : [...own, utf8(quietRuntime)];
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
