/** The program: which command the words mean, and what it is given. */
import { becomeDaemon, daemonIsReady, daemonize, daemonWord } from "./detach.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { commandNames } from "./arguments.ts";
import type { Context } from "./context.ts";
import { helpOf } from "./help.ts";
import { StderrLog } from "./log.ts";
import { print } from "./print.ts";
import { run, wantsDaemon } from "./run.ts";
import { version } from "./version.ts";
import { watch } from "./watch.ts";
import type { DaemonEnd } from "../daemon/options.ts";
import { raiseAgain, Signals } from "../daemon/signals.ts";
import { workingDirectory } from "../environment.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { quoted } from "../log.ts";

/** What only the first file of the program knows. */
export interface Program {
  /** How facron starts itself. */
  readonly self: readonly string[];
  /** The reader thread's file, which lies elsewhere in the compiled binary. */
  readonly readerUrl: URL;
  /** The same of the journal's. */
  readonly journalUrl: URL;
  /** The output thread's. */
  readonly outputUrl: URL;
  readonly gateUrl: URL;
}

/** "run" has no word of its own. */
type CommandName = (typeof commandNames)[number] | "run";

type Question = (context: Context) => ExitCode | Promise<ExitCode>;

/** Commands that answer and end. A daemon need not load them. */
const questions: Readonly<Partial<Record<CommandName, () => Promise<Question>>>> = {
  check: async () => (await import("./check.ts")).check,
  explain: async () => (await import("./explain.ts")).explain,
  convert: async () => (await import("./convert.ts")).convert,
  schema: async () => (await import("./schema.ts")).schema,
  status: async () => (await import("./status.ts")).status,
  queue: async () => (await import("./queue.ts")).queue,
  gate: async () => (await import("./gate.ts")).gate,
};

export async function runProgram(typed: readonly string[], program: Program): Promise<ExitCode> {
  if (typed[0] === daemonWord) return start("run", typed.slice(1), program, { isDaemon: true });
  const command = commandNames.find((name) => name === typed[0]) ?? "run";
  const words = command === "run" ? typed : typed.slice(1);
  const options = words.slice(0, words.includes("--") ? words.indexOf("--") : undefined);
  if (options.some((word) => word === "--help" || word === "-h")) return print(helpOf(command));
  if (options.some((word) => word === "--version" || word === "-V"))
    return print(`facron ${version}\n`);
  if (command === "run" && wantsDaemon(options)) return inBackground(program.self, words);
  const question = await questions[command]?.();
  if (question !== undefined) return answer(question, { words, cwd: workingDirectory() });
  return start(command, words, program, { isDaemon: false });
}

async function inBackground(self: readonly string[], words: readonly string[]): Promise<ExitCode> {
  const lost = words.find((word) => !word.isWellFormed());
  if (lost === undefined) return daemonize(self, words);
  const cure = "give it a name in UTF-8, or go to its directory and name it from there";
  const error = new UsageError(
    `Cannot use ${quoted(lost)} with --daemon: it is not UTF-8; ${cure}`,
  );
  return refused(error, new StderrLog());
}

async function answer(question: Question, context: Context): Promise<ExitCode> {
  try {
    return await question(context);
  } catch (error) {
    return refused(error, new StderrLog());
  }
}

async function start(
  command: CommandName,
  words: readonly string[],
  { readerUrl, journalUrl, outputUrl, gateUrl, self }: Program,
  { isDaemon }: { readonly isDaemon: boolean },
): Promise<ExitCode> {
  const cwd = workingDirectory();
  if (isDaemon) becomeDaemon();
  const log = new StderrLog();
  // Bun goes on after an error in the handler of a message: half a daemon is worse than none.
  process.on("uncaughtException", (error) => process.exit(failed(error, log)));
  try {
    const daemon = {
      log,
      ...(log.isTerminal ? { showStatus: (text: string | null) => log.showStatus(text) } : {}),
      version,
      cwd,
      readerUrl,
      journalUrl,
      outputUrl,
      gateUrl,
      self,
      signals: new Signals(),
      onReady: () => (isDaemon ? daemonIsReady(log) : undefined),
    };
    const follow = command === "watch" ? watch : run;
    return ended(await follow({ words, cwd, daemon }), log);
  } catch (error) {
    return refused(error, log);
  }
}

/** @throws whatever is not a mistake of the user */
function refused(error: unknown, log: StderrLog): ExitCode {
  if (!(error instanceof UsageError || error instanceof ConfigError)) throw error;
  log.error(error.message);
  log.close();
  return exitCode.usage;
}

/** A fault of ours, with what its report needs. */
function failed(error: Error, log: StderrLog): ExitCode {
  log.error(`Ending after a fault in facron ${version}, please report it: ${error.stack ?? error}`);
  log.close();
  return exitCode.failed;
}

function ended(end: DaemonEnd, log: StderrLog): ExitCode {
  log.close();
  if (end.signal !== null) raiseAgain(end.signal);
  return end.isClean ? exitCode.ok : exitCode.failed;
}
