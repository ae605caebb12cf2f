/** Starts processes, and is the only file that does: by Bun.spawn, or by way of the hidden helper. */
import { lossyText, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { type Fd, openPipe } from "../../ffi/fd.ts";
import { type Ending, endingOf, endingText } from "./ending.ts";
import { helperArguments, readHelperReport } from "./exec-helper.ts";
import { fileLimitOf } from "./limits.ts";
import { emptyProgramError, type Refused, startError } from "./start-error.ts";

export interface SpawnOptions {
  /** Where a relative program is looked for. The command itself runs in facron's working directory. */
  readonly cwd: string;
  /** The command's stdout and stderr. */
  readonly stderrFd: number;
  /** Command line by which facron starts itself as the hidden helper; word 0 has a slash in it. */
  readonly helper: readonly string[];
  /** Called once when the command has ended, and never if it could not be started. */
  readonly onExit: (ending: Ending) => void;
}

/**
 * Start a program without a shell, in a session and process group of its own.
 *
 * It gets /dev/null, `stderrFd` twice and no other descriptor, the environment that facron was
 * started with, every signal at its default and none blocked. Word 0 is a path: PATH is not
 * searched (execv(3), as facron 1.1 had it).
 *
 * @param argv bytes without NUL; not kept
 * @returns its pid, which is also its process group
 * @throws {ActionError} one sentence with the cure
 */
export function spawnCommand(argv: readonly Uint8Array[], options: SpawnOptions): number {
  const program = argv[0];
  if (program === undefined || program.length === 0) throw emptyProgramError();
  const target = { program, path: lookupPath(program, options.cwd) };
  const words = textsOf(argv);
  return words === null ? startHelper(target, argv, options) : startText(target, words, options);
}

const slash = 0x2f;

/** Absolute: Bun.spawn would search PATH for a name without a slash. */
function lookupPath(program: Uint8Array, cwd: string): Uint8Array {
  return program[0] === slash ? program : Buffer.concat([utf8(`${cwd}/`), program]);
}

/** Null if one is not UTF-8. (Text is passed on exactly: U+FFFD, U+FEFF and all others, measured.) */
function textsOf(argv: readonly Uint8Array[]): string[] | null {
  const words: string[] = [];
  for (const word of argv) {
    const text = textOrNull(word);
    if (text === null) return null;
    words.push(text);
  }
  return words;
}

function startText(target: Refused, words: readonly string[], options: SpawnOptions): number {
  const { stderrFd, onExit } = options;
  const [argv0, ...rest] = words as [string, ...string[]];
  try {
    return Bun.spawn([lossyText(target.path), ...rest], {
      argv0, // what the command sees; the word in its place above is what Bun looks up
      detached: true, // setsid(2)
      stdio: ["ignore", stderrFd, stderrFd],
      onExit: (_process, code, signal, error) => onExit(endingOf(code, signal, error)),
    }).pid;
  } catch (error) {
    throw startError(target, errnoOf(error), error);
  }
}

/** Bun's start-up makes it 10 ms in place of 0.5: only for words that are not UTF-8. */
function startHelper(
  target: Refused,
  argv: readonly Uint8Array[],
  { stderrFd, helper, onExit }: SpawnOptions,
): number {
  const words = [...helper, ...helperArguments(target.path, argv, fileLimitOf(0)!.soft)];
  let readEnd: Fd | null = null;
  try {
    const pipe = openPipe();
    readEnd = pipe.read;
    using writeEnd = pipe.write;
    return Bun.spawn(words, {
      detached: true,
      stdio: ["ignore", stderrFd, stderrFd, writeEnd.number],
      onExit: (_process, code, signal, error) => {
        using report = pipe.read;
        onExit(helpedEnding(target, report, endingOf(code, signal, error)));
      },
    }).pid;
  } catch (error) {
    readEnd?.close();
    throw startError({ ...target, via: helper[0]! }, errnoOf(error), error);
  }
}

/** The ending of the command, or of the helper if that never became the command. */
function helpedEnding(target: Refused, pipe: Fd, ending: Ending): Ending {
  const report = readHelperReport(pipe.number);
  if (report.kind === "executed") return ending;
  if (report.kind === "refused") {
    return { kind: "not-started", error: startError(target, report.errno) };
  }
  const why = `the helper for names that are not UTF-8 ${endingText(ending)} before its time`;
  return { kind: "not-started", error: startError(target, 0, why) };
}

/** Bun's errors carry errno negated. @returns 0 if there is none */
function errnoOf(error: unknown): number {
  const errno = error instanceof Error && "errno" in error ? error.errno : 0;
  return typeof errno === "number" ? Math.abs(errno) : 0;
}
