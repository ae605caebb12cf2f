/** TOML: `[facron]` and `[[rule]]`. */
import { basename } from "./odd-paths.ts";
import { latin1, textOrNull } from "../../ffi/bytes.ts";
import { Findings } from "./findings.ts";
import { Programs } from "./programs.ts";
import type { Parsed, PlacedRule, Source } from "./source.ts";
import { byteOrderMarkLength, type Span } from "./span.ts";
import { TomlPlaces } from "./toml-places.ts";
import { ruleOf } from "./toml-rule.ts";
import type { TomlFile } from "./toml-schema.ts";
import { syntaxMessage } from "./toml-syntax.ts";

/** @throws {ConfigError} with everything that is wrong in it */
export function parseToml(source: Source): Parsed {
  const findings = new Findings(source);
  const text = latin1(source.bytes);
  const places = new TomlPlaces(text, byteOrderMarkLength(source.bytes));
  if (places.isTooDeep) {
    findings.error(places.fault!, "Nested too deeply: no rule has so many brackets; correct them");
    findings.throwErrors();
  }
  const values = valuesOf(source, places, findings);
  findings.throwErrors();
  const { facron } = checked(values, places, findings);
  const rules = rulesOf(values, { source, text, places, findings });
  findings.throwErrors();
  const includes = (facron?.include ?? []).map((pattern, at) => {
    return { pattern, span: places.value(["facron", "include", at]) ?? { from: 0, length: 1 } };
  });
  const maxRunning = facron?.max_running;
  return { rules, includes, settings: maxRunning === undefined ? {} : { maxRunning } };
}

/** What the text says, in any form; undefined if it is no TOML. */
function valuesOf({ bytes }: Source, places: TomlPlaces, findings: Findings): unknown {
  const text = textOrNull(bytes);
  if (text === null) {
    findings.error(
      notUtf8(bytes),
      "Unexpected byte: TOML is UTF-8, and this is not; save the file as UTF-8",
    );
    return undefined;
  }
  try {
    return Bun.TOML.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    findings.error(places.fault ?? { from: 0, length: 1 }, syntaxMessage(error.message));
    return undefined;
  }
}

/** The first byte that belongs to no character. */
function notUtf8(bytes: Uint8Array): Span {
  let sound = 0;
  let end = bytes.length;
  while (end - sound > 1) {
    const middle = (sound + end) >> 1;
    if (isStartOfText(bytes.subarray(0, middle))) sound = middle;
    else end = middle;
  }
  return { from: sound, length: 1 };
}

/** Whether it is UTF-8, but for a character that may end behind it. */
function isStartOfText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** zod takes milliseconds to load, which a table need not wait for. */
function loadSchema(): typeof import("./toml-schema.ts") {
  return require("./toml-schema.ts");
}

function loadFaults(): typeof import("./toml-faults.ts") {
  return require("./toml-faults.ts");
}

function checked(values: unknown, places: TomlPlaces, findings: Findings): TomlFile {
  const result = loadSchema().tomlSchema.safeParse(values);
  if (result.success) return result.data;
  const { TomlFaults } = loadFaults();
  new TomlFaults(values, places, findings).tell(result.error.issues);
  return {};
}

interface Reading {
  readonly source: Source;
  readonly text: string;
  readonly places: TomlPlaces;
  readonly findings: Findings;
}

/** A rule that has the right form is read although another has not: all errors are said at once. */
function rulesOf(values: unknown, { source, text, places, findings }: Reading): PlacedRule[] {
  const { rule } = values as { readonly rule?: unknown };
  if (!Array.isArray(rule)) return [];
  const { ruleSchema } = loadSchema();
  const context = { places, findings, programs: new Programs(source.cwd), cwd: source.cwd };
  const lineOf = lineCounter(text);
  const rules: PlacedRule[] = [];
  for (const [index, given] of rule.entries()) {
    const { data } = ruleSchema.safeParse(given);
    if (data === undefined) continue;
    const head = places.value(["rule", index]) ?? { from: 0, length: 1 };
    const name = `${basename(source.file).toWellFormed()}:${lineOf(head.from)}`;
    const placed = ruleOf(data, { index, name }, context);
    if (placed !== null) rules.push(placed);
  }
  return rules;
}

/** Lines from 1; cheap for places that come in the order of the text. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let from = 0;
  return (offset) => {
    for (;;) {
      const newline = text.indexOf("\n", from);
      if (newline === -1 || newline >= offset) return line;
      from = newline + 1;
      line++;
    }
  };
}
