/**
 * Random and mutated files of each dialect: rules or a ConfigError, nothing else, and soon; what is
 * good means the same as TOML.
 *
 * FACRON_FUZZ_SEED=n repeats a run, FACRON_FUZZ_RUNS=n makes it longer.
 */
import { expect, test } from "bun:test";
import { fromLatin1, latin1, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { convertToToml } from "../../src/config/convert.ts";
import type { Parsed, PlacedGate, PlacedRule } from "../../src/config/source.ts";
import { parseToml } from "../../src/config/toml.ts";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/errors.ts";
import { type Dialect, dialects, goldenBytes, goldenNames, parseAs } from "./dialects.ts";
import { type Random, randomNumbers, seedOf } from "./random.ts";

const runs = Number(process.env["FACRON_FUZZ_RUNS"] ?? 20_000);
const slowestMs = 2_000;

/** What a file is made of, so that random text gets past the first field. */
const pieces: Readonly<Record<Dialect["name"], readonly string[]>> = {
  facron: [
    ..."\n\n\n \t\r\0\"'|,#$/.\\é\xff\x1b".split(""),
    ..."/f FAN_OPEN FAN_CLOSE FAN_ONDIR FAN_EVENT_ON_CHILD FAN_Q_OVERFLOW FAN_OPEN_PERM".split(" "),
    ..."IN_CREATE IN_ISDIR open close all FAN_OPNE 0x2 $$ $@ $# $* $+ $- $= .. ./a //".split(" "),
    ...[
      " FAN_OPEN ",
      "/f open /bin/sh\n",
      "/f FAN_OPEN_PERM|FAN_EVENT_ON_CHILD /bin/sh $$\n",
      "FAN_ACCESS_PERM",
      "open_exec_perm",
      "\n/g IN_MOVE|IN_OPEN,IN_CLOSE ",
      "\xef\xbb\xbf",
      "\r\n",
    ],
  ],
  toml: [
    ..."\n\n\n \t\r\0\"'=,#.{}[]\\é\xff\x1b0".split(""),
    ...[
      "[[rule]]\n",
      "[facron]\n",
      "watch = ",
      "on = ",
      "run = ",
      "user = ",
      '"/f"',
      '"open"',
      '["a", "b"]',
    ],
    ...[
      "true",
      "1",
      "1.5e3",
      "07:32:00",
      '"""',
      "''",
      '"{path}"',
      "once = true\n",
      "shell = 'x'\n",
      "x.y = 1\n",
    ],
    ...[
      '[[rule]]\nwatch = "/f"\non = "open"\n',
      '[[gate]]\nwatch = "/f"\non = "open_perm"\nverdict = "deny"\n',
      '[[gate]]\nwatch = "/f"\non = "open_perm"\nask = ',
      "timeout = ",
      'errno = "EBUSY"\n',
      "settle = ",
      "umask = ",
      "batch = { max = 2, ",
      "retry = { times = 1, on = ",
      "env = { ",
      "output = ",
      'stdin = "json"\n',
      '"{paths}"',
      "\xef\xbb\xbf",
      "\r\n",
      "[rule]",
      "\\u00e9",
    ],
  ],
  incron: [
    ..."\n\n\n \t\r\0\"'|,#$/.\\é\xff\x1b;&()<>{}`*?[]=".split(""),
    ..."/f IN_CREATE IN_CLOSE recursive=false dotdirs=true loopable=true IN_NO_LOOP IN_ONESHOT 8 256".split(
      " ",
    ),
    ..."$$ $@ $# $% $& bash -c eval /bin/x echo $$( $$(( [[ -eq for case".split(" "),
    ...[
      " IN_OPEN ",
      "/f IN_OPEN /bin/sh\n",
      "\n/g IN_MOVE,IN_OPEN x ",
      "\xef\xbb\xbf",
      "\r\n",
      "sh -c '",
    ],
  ],
};

for (const dialect of dialects) {
  test(
    `${runs} random files: ${dialect.name}`,
    () => {
      const random = randomNumbers(seedOf(dialect.name));
      const folders = (["good", "bad"] as const).map((folder) =>
        goldenNames(dialect, folder).map((name) => latin1(goldenBytes(dialect, folder, name))),
      );
      const seen = { rules: 0, errors: 0 };
      for (let run = 0; run < runs; run++) {
        const text =
          random(2) === 0 ? mutated(random, folders, dialect) : invented(random, dialect);
        const start = performance.now();
        seen[outcomeOf(dialect, text)]++;
        const ms = performance.now() - start;
        if (ms > slowestMs) throw new Error(`took ${ms} ms: ${JSON.stringify(text)}`);
      }
      // Files of both kinds, or the pieces have become too good or too bad to find anything.
      expect(seen.rules).toBeGreaterThan(runs / 50);
      expect(seen.errors).toBeGreaterThan(runs / 50);
    },
    10_000 + runs * 2,
  );
}

function outcomeOf(dialect: Dialect, text: string): "rules" | "errors" {
  const lines = text.split("\n").length;
  const check = (problem: ConfigProblem): void => checkProblem(problem, lines, text);
  try {
    const bytes = fromLatin1(text);
    const { rules, gates, warnings } = parseAs(dialect, bytes, "fuzz");
    warnings.forEach(check);
    for (const placed of rules) checkRule(placed, text);
    for (const placed of gates) checkGate(placed, text);
    if (dialect.name !== "toml") checkConversion(dialect, bytes, { rules, gates }, text);
    return "rules";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw new Error(JSON.stringify(text), { cause: error });
    error.problems.forEach(check);
    return "errors";
  }
}

function checkRule({ rule, isNamed }: PlacedRule, text: string): void {
  const { name, watch, condition, command } = rule;
  const sound =
    (isNamed || /^fuzz:\d+$/.test(name)) &&
    watch.length > 0 &&
    watch.every(({ path }) => /^\/(?!.*\/\/)(.*[^/])?$/s.test(latin1(path)) && !path.includes(0)) &&
    condition.length > 0 &&
    condition.every(({ groups }) => groups.length > 0 && groups.every((group) => group > 0)) &&
    (command === null || command.words.length > 0);
  if (!sound) throw new Error(`unsound rule ${name} from ${JSON.stringify(text)}`);
}

function checkGate({ gate, isNamed }: PlacedGate, text: string): void {
  const { name, watch, events, decision } = gate;
  const sound =
    (isNamed || /^fuzz:\d+$/.test(name)) &&
    watch.length > 0 &&
    watch.every(({ path }) => /^\/(?!.*\/\/)(.*[^/])?$/s.test(latin1(path)) && !path.includes(0)) &&
    events > 0 &&
    (decision.kind !== "ask" || (decision.command.words.length > 0 && decision.timeoutMs > 0));
  if (!sound) throw new Error(`unsound gate ${name} from ${JSON.stringify(text)}`);
}

function checkConversion(
  { name: format }: Dialect,
  bytes: Uint8Array,
  { rules, gates }: Pick<Parsed, "rules" | "gates">,
  text: string,
): void {
  if (textOrNull(bytes) === null) return;
  const toml = convertToToml({ file: "fuzz", bytes, format, rules, gates });
  const again = parseToml({ file: "t.toml", bytes: utf8(toml), cwd: "/cwd" });
  const same = Bun.deepEquals(
    [...again.rules.map(({ rule }) => rule), ...again.gates.map(({ gate }) => gate)],
    [...rules.map(({ rule }) => rule), ...gates.map(({ gate }) => gate)],
    true,
  );
  if (!same) throw new Error(`another meaning as TOML: ${JSON.stringify({ text, toml })}`);
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

function invented(random: Random, { name }: Dialect): string {
  const all = pieces[name];
  return Array.from({ length: random(40) }, () => all[random(all.length)]!).join("");
}

/** One of the golden files with some of it cut, doubled or replaced; the good are fewer, and come as often. */
function mutated(
  random: Random,
  folders: readonly (readonly string[])[],
  { name }: Dialect,
): string {
  const files = folders[random(folders.length)]!;
  let text = files[random(files.length)]!;
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const from = random(text.length + 1);
    const to = Math.min(text.length, from + random(8));
    const middle = [
      "",
      text.slice(from, to).repeat(2),
      pieces[name][random(pieces[name].length)]!,
      String.fromCharCode(random(256)),
    ][random(4)]!;
    text = text.slice(0, from) + middle + text.slice(to);
  }
  return text;
}
