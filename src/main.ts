/** argv in, exit code out: the only place where the program ends. */
import { becomeDaemon, daemonIsReady, daemonize, daemonWord } from "./cli/detach.ts";
import { type ExitCode, exitCode } from "./cli/exit-code.ts";
import { mainHelp, watchHelp } from "./cli/help.ts";
import { StderrLog } from "./cli/log.ts";
import { run, wantsDaemon } from "./cli/run.ts";
import { startAgainQuietly } from "./cli/second-start.ts";
import { version } from "./cli/version.ts";
import { watch } from "./cli/watch.ts";
import type { DaemonEnd } from "./daemon/daemon.ts";
import { raiseAgain, Signals } from "./daemon/signals.ts";
import { ConfigError, UsageError } from "./errors.ts";
import { Writer } from "./output/writer.ts";
import { utf8 } from "../ffi/bytes.ts";

/** Compiled, the program is its own executable; else Bun runs this file. */
const self = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, import.meta.path];

async function main(words: readonly string[]): Promise<ExitCode> {
  if (words[0] === daemonWord) return start(words.slice(1), { isDaemon: true });
  const options = words.slice(0, words.includes("--") ? words.indexOf("--") : undefined);
  if (options.some((word) => word === "--help" || word === "-h")) {
    return print(isWatch(words) ? watchHelp : mainHelp);
  }
  if (options.some((word) => word === "--version" || word === "-V"))
    return print(`facron ${version}\n`);
  if (!isWatch(words) && wantsDaemon(options)) return daemonize(self, words);
  return start(words, { isDaemon: false });
}

async function start(
  words: readonly string[],
  { isDaemon }: { readonly isDaemon: boolean },
): Promise<ExitCode> {
  startAgainQuietly();
  const cwd = process.cwd();
  if (isDaemon) becomeDaemon();
  const log = new StderrLog();
  // Bun goes on after an error in the handler of a message: half a daemon is worse than none.
  process.on("uncaughtException", (error) => process.exit(failed(error, log)));
  try {
    const daemon = {
      log,
      cwd,
      readerUrl: new URL("./reader/worker.ts", import.meta.url),
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

process.exit(await main(process.argv.slice(2)));
