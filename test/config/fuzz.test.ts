/**
 * Random and mutated tables: rules or a ConfigError, nothing else, and soon.
 *
 * FACRON_FUZZ_SEED=n repeats a run, FACRON_FUZZ_RUNS=n makes it longer.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { parseFacronTable } from "../../src/config/facron-table.ts";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/errors.ts";
import type { Rule } from "../../src/rule/rule.ts";

const seed = Number(process.env["FACRON_FUZZ_SEED"] ?? Date.now() % 0x1_0000_0000);
const runs = Number(process.env["FACRON_FUZZ_RUNS"] ?? 20_000);
const slowestMs = 2_000;

const golden = join(import.meta.dir, "../golden/config");
const tables = ["good", "bad"].flatMap((folder) =>
  readdirSync(join(golden, folder))
    .filter((file) => file.endsWith(".conf"))
    .sort()
    .map((file) => latin1(readFileSync(join(golden, folder, file)))),
);

/** What a table is made of, so that random text gets past the first field. */
const pieces = [
  ..."\n\n\n \t\r\0\"'|,#$/.\\é\xff\x1b".split(""),
  ..."/f FAN_OPEN FAN_CLOSE FAN_ONDIR FAN_EVENT_ON_CHILD FAN_Q_OVERFLOW FAN_OPEN_PERM".split(" "),
  ..."IN_CREATE IN_ISDIR open close all FAN_OPNE 0x2 $$ $@ $# $* $+ $- $= .. ./a //".split(" "),
  ...[" FAN_OPEN ", "/f open /bin/sh\n", "\n/g IN_MOVE|IN_OPEN,IN_CLOSE ", "\xef\xbb\xbf", "\r\n"],
];

test(
  `parseFacronTable survives ${runs} random tables (FACRON_FUZZ_SEED=${seed})`,
  () => {
    console.log(`FACRON_FUZZ_SEED=${seed}`);
    const random = randomNumbers(seed);
    const seen = { rules: 0, errors: 0 };
    for (let run = 0; run < runs; run++) {
      const text = random(2) === 0 ? mutated(random) : invented(random);
      const start = performance.now();
      seen[outcomeOf(text)]++;
      const ms = performance.now() - start;
      if (ms > slowestMs) throw new Error(`took ${ms} ms: ${JSON.stringify(text)}`);
    }
    // Tables of both kinds, or the pieces have become too good or too bad to find anything.
    expect(seen.rules).toBeGreaterThan(runs / 50);
    expect(seen.errors).toBeGreaterThan(runs / 50);
  },
  10_000 + runs,
);

function outcomeOf(text: string): "rules" | "errors" {
  const lines = text.split("\n").length;
  const check = (problem: ConfigProblem) => checkProblem(problem, lines, text);
  try {
    const bytes = fromLatin1(text);
    const { rules } = parseFacronTable({ file: "fuzz", bytes, cwd: "/cwd", warn: check });
    for (const { rule } of rules) checkRule(rule, text);
    return "rules";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw new Error(JSON.stringify(text), { cause: error });
    error.problems.forEach(check);
    return "errors";
  }
}

function checkRule({ name, watch, condition, command }: Rule, text: string): void {
  const path = latin1(watch[0]!.path);
  const sound =
    /^fuzz:\d+$/.test(name) &&
    /^\/(?!.*\/\/)(.*[^/])?$/s.test(path) &&
    !path.includes("\0") &&
    condition.length > 0 &&
    condition.every(({ groups }) => groups.length > 0 && groups.every((group) => group > 0)) &&
    (command === null || command.words.every((word) => word.length === 1));
  if (!sound) throw new Error(`unsound rule ${name} from ${JSON.stringify(text)}`);
}

function checkProblem(problem: ConfigProblem, lines: number, text: string): void {
  const { line, column, length, message } = problem;
  const width = [...problem.text].length;
  const sound =
    line >= 1 &&
    line <= lines &&
    column >= 1 &&
    length >= 1 &&
    // A caret may stand behind the last character, where something is missing.
    (column + length - 1 <= width || (length === 1 && column === width + 1)) &&
    /^[A-Z].*[^.]$/.test(message) &&
    !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(formatProblem(problem));
  if (!sound) throw new Error(`unsound problem ${JSON.stringify({ problem, text })}`);
}

type Random = (below: number) => number;

function invented(random: Random): string {
  return Array.from({ length: random(40) }, () => pieces[random(pieces.length)]!).join("");
}

/** One of the golden tables with some of it cut, doubled or replaced. */
function mutated(random: Random): string {
  let text = tables[random(tables.length)]!;
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const from = random(text.length + 1);
    const to = Math.min(text.length, from + random(8));
    const middle = [
      "",
      text.slice(from, to).repeat(2),
      pieces[random(pieces.length)]!,
      String.fromCharCode(random(256)),
    ][random(4)]!;
    text = text.slice(0, from) + middle + text.slice(to);
  }
  return text;
}

/** Numbers from 0 to below `below`, the same for the same seed (mulberry32). */
function randomNumbers(start: number): Random {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
