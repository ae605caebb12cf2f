/** `facron convert FILE`: a facron or incron table as TOML that means the same. */
import { type ArgsDef, parseArgs } from "citty";
import { basename, dirname, resolve } from "../config/odd-paths.ts";
import { convertToToml } from "../config/convert.ts";
import { formatNamed, formatOf } from "../config/format.ts";
import { readConfiguration } from "../config/read.ts";
import { formatProblem, UsageError } from "../errors.ts";
import { quoted } from "../log.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import { formatGiven } from "./configuration.ts";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit-code.ts";
import { StderrLog } from "./log.ts";
import { print } from "./print.ts";

const args = { format: { type: "string", valueHint: "facron|incron" } } satisfies ArgsDef;

const shape: Shape = { args, words: "FILE" };

export function convert({ words, cwd }: Context): ExitCode {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  const [file, second] = given._;
  if (file === undefined) throw new UsageError("No FILE to convert: facron convert facron.conf");
  if (second !== undefined)
    throw new UsageError(`Unexpected word ${quoted(second)}: convert one file at a time`);
  const log = new StderrLog();
  const bytes = readConfiguration(file, cwd);
  const named = formatGiven(given.format);
  const format = named === null ? formatOf(resolve(cwd, file), bytes) : formatNamed(named);
  if (format.name === "toml")
    throw new UsageError(`Cannot convert ${quoted(file)}: it is TOML already`);
  const source = {
    file,
    bytes,
    cwd,
    warn: (warning: Parameters<typeof formatProblem>[0]) => log.warn(formatProblem(warning)),
  };
  const user = format.name === "incron" ? userOf(resolve(cwd, file)) : null;
  const { rules: parsed, gates } = format.parse(source);
  const runAs = user === null ? null : { user, clearsEnvironment: true, needsAccess: true };
  const rules = parsed.map((placed) =>
    runAs === null ? placed : { ...placed, rule: { ...placed.rule, runAs } },
  );
  const text = convertToToml({ file, bytes, format: format.name, rules, gates });
  log.close();
  return print(text);
}

/** A user's table is named after its user. */
function userOf(path: string): string | null {
  return dirname(path).endsWith("/spool/incron") ? basename(path) : null;
}
