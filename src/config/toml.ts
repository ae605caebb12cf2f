/** TOML: `[facron]`, `[[rule]]` and `[[gate]]`. */
import type { z } from "zod";
import { basename } from "./odd-paths.ts";
import { latin1, textOrNull } from "../../ffi/bytes.ts";
import { Findings } from "./findings.ts";
import { Programs } from "./programs.ts";
import type { Parsed, Source } from "./source.ts";
import { byteOrderMarkLength, type Span } from "./span.ts";
import { TomlPlaces } from "./toml-places.ts";
import { nothingGiven } from "./toml-given.ts";
import { gateOf } from "./toml-gate.ts";
import { ruleOf } from "./toml-rule.ts";
import type { TomlFile, TomlSettings } from "./toml-schema.ts";
import { defaultsOf, settingsFrom } from "./toml-settings.ts";
import { type TomlContext, TomlTable } from "./toml-table.ts";
import { soundPartOf, type TablePart } from "./toml-part.ts";
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
  const sound = check(values, places, findings);
  const { cwd } = source;
  const { given: facron, isPart } = settingsOf(values, sound);
  const context = { places, findings, programs: new Programs(cwd), cwd, text, isPart };
  const table = new TomlTable(context, ["facron"]);
  const defaults = defaultsOf(facron, table, source.defaults ?? nothingGiven);
  const settings = settingsFrom(facron, table);
  const { ruleSchema, actionKeyNames, gateSchema, askKeyNames } = loadSchema();
  const within = { ...context, defaults };
  const given = { values, source, context };
  const rules = tablesOf(
    "rule",
    { ...given, sound: sound?.rule, schema: ruleSchema },
    (table, at, isPart) => ruleOf(table, at, { ...within, isPart, actionKeyNames }),
  );
  const gates = tablesOf(
    "gate",
    { ...given, sound: sound?.gate, schema: gateSchema },
    (table, at, isPart) => gateOf(table, at, { ...within, isPart, askKeyNames }),
  );
  findings.throwErrors();
  const includes = (facron.include ?? []).map((pattern, at) => {
    return { pattern, span: table.span("include", at) ?? table.head };
  });
  return { rules, gates, includes, settings, defaults };
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

type Schema = typeof import("./toml-schema.ts") & typeof import("./toml-gate-schema.ts");

/** zod takes milliseconds to load, which a table need not wait for. */
function loadSchema(): Schema {
  return { ...require("./toml-schema.ts"), ...require("./toml-gate-schema.ts") };
}

function loadFaults(): typeof import("./toml-faults.ts") {
  return require("./toml-faults.ts");
}

/** Null if something in it has not the right form. */
function check(values: unknown, places: TomlPlaces, findings: Findings): TomlFile | null {
  const { data, error } = loadSchema().tomlSchema.safeParse(values);
  if (error === undefined) return data;
  const { TomlFaults } = loadFaults();
  new TomlFaults(values, places, findings).tell(error.issues);
  return null;
}

/** `[facron]`, although a rule may not have the right form; what is sound in it, if it has not itself. */
function settingsOf(values: unknown, sound: TomlFile | null): TablePart<TomlSettings> {
  if (sound !== null) return { given: sound.facron ?? {}, isPart: false };
  const { facron = {} } = values as { readonly facron?: unknown };
  return soundPartOf(loadSchema().settingsSchema, facron) ?? { given: {}, isPart: true };
}

interface Tables<Given> {
  /** All that the file says. */
  readonly values: unknown;
  /** They, where the whole file has the right form. */
  readonly sound: readonly Given[] | undefined;
  readonly source: Source;
  readonly schema: z.ZodType<Given>;
  readonly context: TomlContext;
}

/** What has the right form is read although something else has not: all errors are said at once. */
function tablesOf<Given, Placed>(
  key: "rule" | "gate",
  { values, sound, source, schema, context }: Tables<Given>,
  read: (given: Given, at: { index: number; name: string }, isPart: boolean) => Placed | null,
): Placed[] {
  const tables = (values as Readonly<Record<string, unknown>>)[key];
  if (!Array.isArray(tables)) return [];
  const lineOf = lineCounter(context.text);
  return tables.flatMap((given, index) => {
    const whole = sound?.[index];
    const part = whole === undefined ? soundPartOf(schema, given) : { given: whole, isPart: false };
    if (part === null) return [];
    const head = context.places.value([key, index]) ?? { from: 0, length: 1 };
    const name = `${basename(source.file).toWellFormed()}:${lineOf(head.from)}`;
    const isPart = part.isPart || context.isPart === true;
    const placed = read(part.given, { index, name }, isPart);
    return placed === null ? [] : [placed];
  });
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
