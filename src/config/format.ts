/** The dialects of a configuration file: the list, and which of them a file is written in. */
import { extname } from "node:path";
import { ConfigError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { parseFacronTable } from "./facron-table.ts";
import type { Source } from "./source.ts";
import { problemOfFile } from "./span.ts";

export interface Format {
  readonly name: string;
  /** Whether the file is written in it, as far as its name tells. */
  matches(file: string): boolean;
  /** @throws {ConfigError} with everything that is wrong in the source */
  parse(source: Source): Rule[];
}

/** The first that matches reads the file. */
const formats: readonly Format[] = [
  { name: "facron table", matches: (file) => !isToml(file), parse: parseFacronTable },
];

/** @throws {ConfigError} when no dialect is for such a file */
export function formatOf(file: string): Format {
  const format = formats.find((candidate) => candidate.matches(file));
  if (format !== undefined) return format;
  const state =
    "TOML configuration is not built yet; write a facron table, PATH MASK COMMAND on each line";
  throw new ConfigError([problemOfFile(file, `Cannot read ${quoted(file)}: ${state}`)]);
}

function isToml(file: string): boolean {
  return extname(file).toLowerCase() === ".toml";
}
