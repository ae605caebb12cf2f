/**
 * Every file in test/golden/DIALECT against what lies beside it: rules and warnings for the good, the
 * printed problems for the bad.
 *
 * After a change that is meant, UPDATE_GOLDEN=1 writes the expectations anew (`bun fmt` them, read the diff).
 */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { convertToToml } from "../../src/config/convert.ts";
import { parseToml } from "../../src/config/toml.ts";
import { ConfigError, formatProblem } from "../../src/errors.ts";
import { utf8 } from "../../ffi/bytes.ts";
import {
  type Dialect,
  dialects,
  goldenBytes,
  goldenNames,
  goldenPath,
  parseAs,
} from "./dialects.ts";
import { messages } from "./messages.ts";
import { readableGate, readableRule } from "./readable.ts";

const update = process.env["UPDATE_GOLDEN"] === "1";

// incron-golden.test.ts has more to ask of incron's.
for (const dialect of dialects.filter(({ name }) => name !== "incron")) {
  describe(`a good file: ${dialect.name}`, () => {
    for (const name of goldenNames(dialect, "good")) {
      test(name, () => {
        const expectation = goldenPath(dialect, "good", `${name}.json`);
        const result = resultOf(dialect, name);
        if (update) writeFileSync(expectation, JSON.stringify(result, null, 2));
        expect(result).toEqual(JSON.parse(readFileSync(expectation, "utf8")));
      });
    }
  });

  describe(`a bad file: ${dialect.name}`, () => {
    for (const name of goldenNames(dialect, "bad")) {
      test(name, () => {
        const expectation = goldenPath(dialect, "bad", `${name}.txt`);
        const printed = `${refusalOf(dialect, name)}\n`;
        if (update) writeFileSync(expectation, printed);
        expect(printed).toBe(readFileSync(expectation, "utf8"));
      });
    }
  });

  const { name: format } = dialect;
  if (format === "incron") continue;
  test(`every message of the dialect is in a golden file: ${format}`, () => {
    const printed = goldenNames(dialect, "bad")
      .map((name) => refusalOf(dialect, name))
      .join("\n");
    expect(messages[format].filter((message) => !message.test(printed))).toEqual([]);
  });
}

test("there are at least 60 good and 60 bad files", () => {
  const count = (folder: "good" | "bad"): number =>
    dialects.reduce((sum, dialect) => sum + goldenNames(dialect, folder).length, 0);
  expect(count("good")).toBeGreaterThanOrEqual(60);
  expect(count("bad")).toBeGreaterThanOrEqual(60);
});

for (const dialect of dialects.filter(({ name }) => name !== "toml")) {
  describe(`means the same as TOML: ${dialect.name}`, () => {
    for (const name of goldenNames(dialect, "good")) {
      test(name, () => {
        const file = `${name}${dialect.extension}`;
        const bytes = goldenBytes(dialect, "good", name);
        const { rules, gates } = parseAs(dialect, bytes, file);
        const convert = (): string =>
          convertToToml({ file, bytes, format: dialect.name, rules, gates });
        if (rules.some(({ rule }) => !isUtf8(rule)) || gates.some(({ gate }) => !isUtf8(gate)))
          return void expect(convert).toThrow(/other bytes/);
        const toml = convert();
        const again = parseToml({ file: "t.toml", bytes: utf8(toml), cwd: "/cwd" });
        expect(again.rules.map(({ rule }) => rule)).toEqual(rules.map(({ rule }) => rule));
        expect(again.gates.map(({ gate }) => gate)).toEqual(gates.map(({ gate }) => gate));
      });
    }
  });
}

function isUtf8(rule: object): boolean {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    JSON.stringify(rule, (_, value: unknown) =>
      value instanceof Uint8Array ? decoder.decode(value) : value,
    );
    return true;
  } catch {
    return false;
  }
}

/** Without the warnings about programs: those depend on the machine. */
function resultOf(dialect: Dialect, name: string) {
  const file = `/etc/${name}${dialect.extension}`;
  const { rules, gates, includes, settings, warnings } = parseAs(
    dialect,
    goldenBytes(dialect, "good", name),
    file,
  );
  const lasting = warnings.filter(({ message }) => !message.startsWith("Cannot run "));
  return {
    rules: rules.map(({ rule }) => readableRule(rule)),
    ...(gates.length === 0 ? {} : { gates: gates.map(({ gate }) => readableGate(gate)) }),
    ...(includes.length === 0 ? {} : { includes: includes.map(({ pattern }) => pattern) }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
    warnings: lasting.map(formatProblem),
  };
}

function refusalOf(dialect: Dialect, name: string): string {
  const file = `${name}${dialect.extension}`;
  try {
    parseAs(dialect, goldenBytes(dialect, "bad", name), file);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`${file} is read without a problem`);
}
