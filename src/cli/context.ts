/** What a command line is given besides its words: everything that `main.ts` alone may touch. */
import type { DaemonOptions } from "../daemon/options.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../log.ts";

/** For every command. */
export interface Context {
  /** As the user typed them, without the name of the program and of the command. */
  readonly words: readonly string[];
  /** The working directory, where relative paths start. */
  readonly cwd: string;
}

/** For those that watch. */
export interface DaemonContext extends Context {
  readonly daemon: Pick<
    DaemonOptions,
    | "log"
    | "version"
    | "showStatus"
    | "cwd"
    | "readerUrl"
    | "outputUrl"
    | "gateUrl"
    | "self"
    | "signals"
    | "onReady"
  > & { readonly journalUrl: URL };
}

/** @throws {UsageError} unless `text` is a whole number from 1 on */
export function positiveNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(
    `Option ${option} needs a whole number from 1 to 999999: got ${quoted(text)}`,
  );
}
