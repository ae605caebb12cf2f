/** `facron check [FILE...]`: what is wrong with a configuration, without following it. */
import { type ArgsDef, parseArgs } from "citty";
import { accountNames, findAccount } from "../../ffi/users.ts";
import { inspect } from "../config/inspect.ts";
import type { Configuration } from "../config/load.ts";
import { ConfigError, type ConfigProblem, formatProblem, formatWarning } from "../errors.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import { configurationArgs, configurationLists, configurationLoader } from "./configuration.ts";
import { whyNoGates } from "../watch/no-gates.ts";
import { ownPaths } from "./own-paths.ts";
import type { Context } from "./context.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { print } from "./print.ts";

const args = { ...configurationArgs, json: { type: "boolean" } } satisfies ArgsDef;

const shape: Shape = { args, words: "FILE", lists: configurationLists };

interface Verdict {
  readonly rules: number;
  readonly gates: number;
  readonly files: number;
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export function check({ words, cwd }: Context): ExitCode {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  const verdict = verdictOn(configurationLoader(given, { cwd, words: given._ }), cwd);
  print(given.json === true ? asJson(verdict) : asText(verdict));
  return verdict.errors.length > 0 ? exitCode.usage : exitCode.ok;
}

function verdictOn(load: () => Configuration, cwd: string): Verdict {
  try {
    const configuration = load();
    const { files, rules, gates, warnings, leftOut = [] } = configuration;
    const ours = gates.length === 0 ? [] : ownPaths(configuration, cwd);
    const more = inspect(files, { accounts: { findAccount, accountNames }, ours, whyNoGates });
    const all = inOrder([...warnings, ...more]);
    const count = { rules: rules.length, gates: gates.length, files: files.length };
    return { ...count, errors: leftOut, warnings: all };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { rules: 0, gates: 0, files: 0, errors: error.problems, warnings: [] };
  }
}

/** Files as they come, lines in each from top to bottom. */
function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  return files.flatMap((file) =>
    problems
      .filter((one) => one.file === file)
      .sort((a, b) => a.line - b.line || a.column - b.column),
  );
}

function asText({ errors, warnings, rules, gates, files }: Verdict): string {
  const lines = [...errors.map(formatProblem), ...warnings.map(formatWarning)];
  const counts = [counted(errors.length, "error"), counted(warnings.length, "warning")].join(", ");
  const ofGates = gates === 0 ? "" : ` and ${counted(gates, "gate")}`;
  const sum =
    errors.length > 0
      ? counts
      : `${counted(rules, "rule")}${ofGates} in ${counted(files, "file")}, ${counts}`;
  return `${[...lines, sum].join("\n")}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** One object: an editor or a pipeline reads it whole. */
function asJson({ errors, warnings, rules, gates }: Verdict): string {
  const problems = [
    ...errors.map((problem) => ({ severity: "error", ...problem })),
    ...warnings.map((problem) => ({ severity: "warning", ...problem })),
  ];
  const verdict = { v: 1, ok: errors.length === 0, rules, gates, problems };
  return `${JSON.stringify(verdict, (_, value) => readable(value), 2)}\n`;
}

/** A file's name may have other bytes than UTF-8, and JSON has no way to say them. */
function readable(value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
