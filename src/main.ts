/** argv in, exit code out: the only place where the program ends. */
import { execWord, runExecHelper } from "./action/exec-helper.ts";
import { hasFilesToStart, restoreFileLimit } from "./action/file-limit.ts";
import { guardWord, runGuard } from "./gate/guard-process.ts";
import { startAgainQuietly } from "./cli/second-start.ts";
import { typedWords } from "./environment.ts";

if (process.argv[2] === execWord) runExecHelper();
if (process.argv[2] === guardWord) runGuard();

restoreFileLimit();
if (!hasFilesToStart()) process.exit((await import("./cli/too-few-files.ts")).tooFewFiles());

startAgainQuietly(); // before the rest is loaded, which is then loaded once

const { runProgram } = await import("./cli/program.ts");

process.exit(
  await runProgram(typedWords(process.argv.slice(2)), {
    // Compiled, the program is its own executable; else Bun runs this file.
    self: Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, import.meta.path],
    readerUrl: new URL("./reader/worker.ts", import.meta.url),
    journalUrl: new URL("./journal/worker.ts", import.meta.url),
    outputUrl: new URL("./action/worker.ts", import.meta.url),
    gateUrl: new URL("./gate/worker.ts", import.meta.url),
  }),
);
