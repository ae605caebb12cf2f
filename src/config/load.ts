/** A configuration file becomes rules. */
import type { ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { formatOf } from "./format.ts";
import { readConfiguration } from "./read.ts";
import { problemOfFile } from "./span.ts";

export interface Configuration {
  /** As the user gave it. */
  readonly file: string;
  readonly rules: readonly Rule[];
  /** Odd, but no reason to stop. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * The rules in `file`, in the dialect that its name tells.
 *
 * @param options cwd: absolute; `file` and relative paths in it start there
 * @throws {ConfigError} with everything that is wrong, also when the file can't be read
 */
export function loadConfiguration(file: string, options: { readonly cwd: string }): Configuration {
  const format = formatOf(file);
  const bytes = readConfiguration(file, options.cwd);
  const warnings: ConfigProblem[] = [];
  const warn = (warning: ConfigProblem) => void warnings.push(warning);
  const rules = format.parse({ file, bytes, cwd: options.cwd, warn });
  if (rules.length === 0) warn(problemOfFile(file, noRules(file)));
  return { file, rules, warnings };
}

function noRules(file: string): string {
  return `No rules in ${quoted(file)}: nothing is watched; add a line, e.g. /srv/in IN_CLOSE_WRITE /usr/bin/import $$`;
}
