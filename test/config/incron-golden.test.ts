/**
 * Every table in test/golden/incron against what lies beside it: rules and warnings for the good, the
 * printed problems for the bad.
 *
 * After a change that is meant, UPDATE_GOLDEN=1 writes the expectations anew (`bun fmt` them, read the diff).
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseIncronTable } from "../../src/config/incron-table.ts";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/errors.ts";
import type { Rule } from "../../src/rule/rule.ts";
import { readableRule } from "./readable.ts";

const golden = join(import.meta.dir, "../golden/incron");
const update = process.env["UPDATE_GOLDEN"] === "1";

describe("parseIncronTable reads", () => {
  for (const name of tablesIn("good")) {
    test(name, () => {
      const expectation = join(golden, "good", `${name}.json`);
      const result = resultOf(name);
      if (update) writeFileSync(expectation, JSON.stringify(result, null, 2));
      expect(result).toEqual(JSON.parse(readFileSync(expectation, "utf8")));
    });
  }
});

describe("parseIncronTable refuses", () => {
  for (const name of tablesIn("bad")) {
    test(name, () => {
      const expectation = join(golden, "bad", `${name}.txt`);
      const printed = `${refusalOf(name)}\n`;
      if (update) writeFileSync(expectation, printed);
      expect(printed).toBe(readFileSync(expectation, "utf8"));
    });
  }
});

test("each bad line is refused: none is left out of the messages", () => {
  for (const name of tablesIn("bad")) {
    const lines =
      readFileSync(join(golden, "bad", `${name}.conf`), "latin1").split("\n").length - 1;
    const refused = new Set(problemsOf(name).map(({ line }) => line));
    expect({ name, refused: refused.size }).toEqual({ name, refused: lines });
  }
});

test("the golden tables of a dialect are at least 20 good and 20 bad", () => {
  expect(tablesIn("good").length).toBeGreaterThanOrEqual(20);
  expect(tablesIn("bad").length).toBeGreaterThanOrEqual(20);
});

/** Every template of a message in the dialect's files: its first words, up to the first value. */
test("every message of incron's tables is in a golden file", () => {
  const printed = [
    ...tablesIn("bad").map(refusalOf),
    ...tablesIn("good").flatMap((name) => resultOf(name).warnings),
  ].join("\n");
  expect(messageStarts().filter((start) => !printed.includes(start))).toEqual([]);
});

function messageStarts(): string[] {
  const source = join(import.meta.dir, "../../src/config");
  const files = readdirSync(source).filter((file) =>
    /^incron-(shell.*|mask|table|text)\.ts$/.test(file),
  );
  const text = files.map((file) => readFileSync(join(source, file), "utf8")).join("\n");
  const messages = text.matchAll(
    /["'`]((?:Cannot|Missing|Unknown|Unexpected|Option|Mask|Dollar|Too many)[^"'`$]{8,})/g,
  );
  return [...messages].map(([, start]) => start!.replace(/\\+$/, ""));
}

function tablesIn(folder: "good" | "bad"): string[] {
  const files = readdirSync(join(golden, folder)).filter((file) => file.endsWith(".conf"));
  return files.map((file) => file.slice(0, -".conf".length)).sort();
}

/** Without the warnings about programs: those depend on the machine. */
function resultOf(name: string) {
  const { rules, warnings } = parse("good", name);
  const lasting = warnings.filter(({ message }) => !message.startsWith("Cannot run "));
  return { rules: rules.map(readable), warnings: lasting.map(formatProblem) };
}

function readable(rule: Rule) {
  const { once } = rule;
  const watch = readableRule(rule).watch.map((one, at) => ({ ...rule.watch[at], ...one }));
  return { ...readableRule(rule), watch, ...(once && { once }) };
}

function refusalOf(name: string): string {
  return problemsOf(name).map(formatProblem).join("\n");
}

function problemsOf(name: string): readonly ConfigProblem[] {
  try {
    parse("bad", name);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error(`${name}.conf is read without a problem`);
}

function parse(folder: "good" | "bad", name: string) {
  const warnings: ConfigProblem[] = [];
  const warn = (warning: ConfigProblem) => void warnings.push(warning);
  const bytes = readFileSync(join(golden, folder, `${name}.conf`));
  const { rules } = parseIncronTable({ file: `${name}.conf`, bytes, cwd: "/", warn });
  return { rules: rules.map(({ rule }) => rule), warnings };
}
