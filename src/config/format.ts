/** The dialects of a configuration file: the list, and which of them a file is written in. */
import { basename, dirname, extname } from "node:path";
import { latin1 } from "../../ffi/bytes.ts";
import { parseFacronTable } from "./facron-table.ts";
import { parseIncronTable } from "./incron-table.ts";
import type { FormatName, Parsed, Source } from "./source.ts";
import { parseToml } from "./toml.ts";

export interface Format {
  readonly name: FormatName;
  /** As messages call a file of it. */
  readonly title: string;
  /** Whether the file is written in it, as far as its name tells. */
  ownsName(file: string): boolean;
  /** Whether its text can be nothing else. */
  ownsText(text: string): boolean;
  /** @throws {ConfigError} with everything that is wrong in the source */
  parse(source: Source): Parsed;
}

const toml: Format = {
  name: "toml",
  title: "TOML",
  ownsName: (file) => extname(file).toLowerCase() === ".toml",
  ownsText: (text) => /^[ \t]*(\[\[[ \t]*rule[ \t]*\]\]|\[[ \t]*facron[ \t]*\])/m.test(text),
  parse: parseToml,
};

/** A path with its quotes or backslashes, and the blanks behind it. */
const pathAndBlanks = String.raw`^(?:"[^"\n]*"|'[^'\n]*'|(?:\\.|[^\s\\#"'])(?:\\.|[^\s\\])*)[ \t]+`;

/** What only incron's tables have: a mask in numbers, an option in it, or two of its tokens. */
const onlyIncron = new RegExp(
  String.raw`${pathAndBlanks}(?:\d+[ \t]|[\w,=]*\b(?:IN_NO_LOOP\b|(?:loopable|recursive|dotdirs)=)|[\w,=]*\bIN_\w+[ \t][^\n]*\$[%&])`,
  "m",
);

const incron: Format = {
  name: "incron",
  title: "incron table",
  ownsName: (file) =>
    [".incron", ".incrontab"].includes(extname(file)) ||
    basename(dirname(file)) === "incron.d" ||
    dirname(file).endsWith("/spool/incron"),
  ownsText: (text) => onlyIncron.test(text),
  parse: parseIncronTable,
};

const facron: Format = {
  name: "facron",
  title: "facron table",
  ownsName: () => false,
  ownsText: () => true,
  parse: parseFacronTable,
};

const formats = [toml, incron, facron] as const;

export const formatNames = formats.map(({ name }) => name);

export function formatNamed(name: FormatName): Format {
  return formats.find((format) => format.name === name)!;
}

/** The dialect of a file: by its name, else by its text; a facron table if nothing else is told. */
export function formatOf(file: string, bytes: Uint8Array): Format {
  const byName = formats.find((format) => format.ownsName(file));
  return byName ?? formats.find((format) => format.ownsText(latin1(bytes)))!;
}
