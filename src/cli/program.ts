/** The program: which command the words mean, and what it is given. */
import { becomeDaemon, daemonIsReady, daemonize, daemonWord } from "./detach.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { mainHelp, watchHelp } from "./help.ts";
import { StderrLog } from "./log.ts";
import { run, wantsDaemon } from "./run.ts";
import { version } from "./version.ts";
import { watch } from "./watch.ts";
import type { DaemonEnd } from "../daemon/daemon.ts";
import { raiseAgain, Signals } from "../daemon/signals.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { Writer } from "../output/writer.ts";
import { utf8 } from "../../ffi/bytes.ts";

/** What only the first file of the program knows. */
export interface Program {
  /** How facron starts itself. */
  readonly self: readonly string[];
  /** The reader thread's file, which lies elsewhere in the compiled binary. */
  readonly readerUrl: URL;
}

export async function runProgram(words: readonly string[], program: Program): Promise<ExitCode> {
  if (words[0] === daemonWord) return start(words.slice(1), program, { isDaemon: true });
  const options = words.slice(0, words.includes("--") ? words.indexOf("--") : undefined);
  if (options.some((word) => word === "--help" || word === "-h")) {
    return print(isWatch(words) ? watchHelp : mainHelp);
  }
  if (options.some((word) => word === "--version" || word === "-V"))
    return print(`facron ${version}\n`);
  if (!isWatch(words) && wantsDaemon(options)) return daemonize(program.self, words);
  return start(words, program, { isDaemon: false });
}

async function start(
  words: readonly string[],
  { readerUrl }: Program,
  { isDaemon }: { readonly isDaemon: boolean },
): Promise<ExitCode> {
  const cwd = process.cwd();
  if (isDaemon) becomeDaemon();
  const log = new StderrLog();
  // Bun goes on after an error in the handler of a message: half a daemon is worse than none.
  process.on("uncaughtException", (error) => process.exit(failed(error, log)));
  try {
    const daemon = {
      log,
      cwd,
      readerUrl,
      signals: new Signals(),
      onReady: () => (isDaemon ? daemonIsReady(log) : undefined),
    };
    const end = isWatch(words)
      ? await watch({ words: words.slice(1), cwd, daemon })
      : await run({ words, cwd, daemon });
    return ended(end, log);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
    log.error(error.message);
    log.close();
    return exitCode.usage;
  }
}

/** A fault of ours, with what its report needs. */
function failed(error: Error, log: StderrLog): ExitCode {
  log.error(`Ending after a fault in facron ${version}, please report it: ${error.stack ?? error}`);
  log.close();
  return exitCode.failed;
}

function isWatch(words: readonly string[]): boolean {
  return words[0] === "watch";
}

function ended(end: DaemonEnd, log: StderrLog): ExitCode {
  log.close();
  if (end.signal !== null) raiseAgain(end.signal);
  return end.isClean ? exitCode.ok : exitCode.failed;
}

function print(text: string): ExitCode {
  const stdout = new Writer(1);
  stdout.write(utf8(text));
  stdout.flushWithin(Number.POSITIVE_INFINITY);
  return exitCode.ok;
}
