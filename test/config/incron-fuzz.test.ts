/**
 * Random and mutated tables of incron's: rules or a ConfigError, nothing else, and soon. What comes of
 * random commands is run, with names that would like to be programs.
 *
 * FACRON_FUZZ_SEED=n repeats a run, FACRON_FUZZ_RUNS=n makes it longer.
 */
import { expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { parseIncronTable } from "../../src/config/incron-table.ts";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/errors.ts";
import type { Rule } from "../../src/rule/rule.ts";
import { type Command, Counters, fillCommand } from "../../src/rule/template.ts";
import { isRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type Random, randomNumbers, seedOf } from "./random.ts";

const seed = seedOf("incron-fuzz");
const runs = Number(process.env["FACRON_FUZZ_RUNS"] ?? 20_000);
const slowestMs = 2_000;

const golden = join(import.meta.dir, "../golden/incron");
const tables = ["good", "bad"].flatMap((folder) =>
  readdirSync(join(golden, folder))
    .filter((file) => file.endsWith(".conf"))
    .sort()
    .map((file) => latin1(readFileSync(join(golden, folder, file)))),
);

/** What commands are made of: all that this file knows of shells. */
const shellPieces = [
  ..."$@ $# $% $& $@/$# $$x $$1 $$@ $$HOME $${x} $${x:- $${x[ } ' ' \" \" ` ` \\ $$' $$\" \\'".split(
    " ",
  ),
  ..."$$( $$(( )) $$[ ] ( ) (( { } [[ ]] [ -eq -v -c -e bash sh eval printf echo read cat".split(
    " ",
  ),
  ..."; ;; | || && & > >> < << <<< <( 2>&1 &> * ? ~ # = x= x+= a[ a=( env xargs find awk".split(
    " ",
  ),
  ..." |  | | | |if |then |fi|while |do |done|for x in |case |in |esac|f() |sudo |true|./echo".split(
    "|",
  ),
];

/** What a table is made of, so that random text gets past the first field. */
const pieces = [
  ..."\n\n\n \t\r\0\"',#$/.\\é\xff\x1b*?[{".split(""),
  ..."/f IN_OPEN IN_CREATE,IN_ISDIR IN_OPNE IN_NO_LOOP recursive=false dotdirs=true loopable=true".split(
    " ",
  ),
  ...[
    "12",
    "4096",
    "0x2",
    "/f IN_OPEN /bin/echo ",
    "\n/g IN_OPEN ",
    "\n/g 12 echo ",
    "\xef\xbb\xbf",
  ],
];

test(
  `parseIncronTable survives ${runs} random tables`,
  () => {
    const random = randomNumbers(seed);
    const seen = { rules: 0, errors: 0 };
    for (let run = 0; run < runs; run++) {
      const text = [mutated, invented, withCommand][random(3)]!(random);
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

test.each([
  ["a long line", `/f IN_OPEN /bin/echo ${"x $# ".repeat(20_000)}`],
  ["many quotes", `/f IN_OPEN echo ${"'$#'\"$#\"".repeat(10_000)}`],
  ["open parentheses", `/f IN_OPEN ${"(".repeat(50_000)}`],
  ["open calculations", `/f IN_OPEN ${"$$((".repeat(20_000)}`],
  ["open braces", `/f IN_OPEN echo ${"$${x:-".repeat(20_000)}`],
  ["a long path", `/${"a\\ ".repeat(50_000)} IN_OPEN /bin/true`],
  ["a path of brackets", `/${"[".repeat(50_000)} IN_OPEN /bin/true`],
  ["a long mask", `/f ${"IN_OPEN,".repeat(20_000)} /bin/true`],
])("parseIncronTable is soon done with %s", (_, text) => {
  const start = performance.now();
  outcomeOf(text);
  expect(performance.now() - start).toBeLessThan(slowestMs);
});

/** Each would make a file "pwned" if anything read it as more than data. */
const hostile = [
  ..."; touch pwned|$(touch pwned)|`touch pwned`|'; touch pwned; '|\"; touch pwned; \"".split("|"),
  ...["a\ntouch pwned\n", "-rf", "a[$(touch pwned)]", "-va[$(touch pwned)]", "touch pwned"],
  ...[
    "x=a[$(touch pwned)]",
    ") touch pwned ;;",
    "\\",
    "'",
    '"',
    "}; touch pwned; {",
    "| touch pwned",
  ],
  ...["-v a[$({touch,pwned})]", "${x:=$(touch pwned)}", "&& touch pwned", "-c touch pwned"],
];

test(
  "no command that parseIncronTable makes runs a name",
  () => {
    const random = randomNumbers(seed + 1);
    const counters = new Counters();
    using dir = tempDir();
    chmodSync(dir.path, 0o755);
    const done: { work: string; what: string }[] = [];
    const wanted = Math.max(300, Math.min(runs / 60, 3_000));
    for (let ran = 0, tries = 0; ran < wanted; tries++) {
      if (tries > wanted * 500) throw new Error(`only ${ran} commands in ${tries} tries`);
      const text = command(random);
      const made = commandOf(text);
      if (made === null || !/\$[@#]/.test(text)) continue;
      ran++;
      const name = hostile[random(hostile.length)]!;
      const work = dir.mkdir(`run-${ran}`); // for each its own: something may go on behind its back
      run(fillCommand(made, fillingFor(`${work}/${name}`), { rule: "f:1", counters }), work);
      done.push({ work, what: `${JSON.stringify(text)} runs ${JSON.stringify(name)}` });
      const hit = done.slice(-20).find((one) => existsSync(join(one.work, "pwned")));
      if (hit !== undefined) throw new Error(hit.what);
    }
  },
  120_000 + runs * 2,
);

test("the place in which they run would show it", () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o755);
  const words = ["/bin/bash", "-c", 'eval "$1"', "incron", "touch pwned"];
  const work = dir.mkdir("run");
  run(words.map(utf8), work);
  expect(readdirSync(work)).toEqual(["pwned"]);
});

function fillingFor(path: string) {
  return {
    ...{ path: utf8(path), from: new Uint8Array(0), events: 0x100, pid: 0, seq: 1 },
    ...{ isSelf: false, isDirectory: false },
  };
}

/**
 * As nobody if we are root, and no piece of a command is an absolute path: a random command may well
 * write to whatever its words name.
 */
function run(words: readonly Uint8Array[], cwd: string): void {
  const argv = words.map((word) => Buffer.from(word).toString());
  const env = { PATH: "/usr/bin:/bin", HOME: cwd };
  const nobody = isRoot() ? { uid: 65534, gid: 65534 } : {};
  if (isRoot()) chownSync(cwd, 65534, 65534);
  const options = {
    cwd,
    env,
    ...nobody,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  } as const;
  try {
    Bun.spawnSync(["timeout", "-s", "KILL", "2", ...argv], options);
  } catch (error) {
    if (!/E2BIG|ENOENT|EACCES/.test(String(error))) throw error;
  }
}

function commandOf(text: string): Command | null {
  try {
    const bytes = fromLatin1(`/d IN_CREATE ${text}\n`);
    return parseIncronTable({ file: "f", bytes, cwd: "/" }).rules[0]?.rule.command ?? null;
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

function outcomeOf(text: string): "rules" | "errors" {
  const lines = text.split("\n").length;
  const check = (problem: ConfigProblem) => checkProblem(problem, lines, text);
  try {
    const bytes = fromLatin1(text);
    const { rules } = parseIncronTable({ file: "fuzz", bytes, cwd: "/cwd", warn: check });
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
    /^\/(?!.*\/\/)/s.test(path) &&
    !path.includes("\0") &&
    condition.length > 0 &&
    condition.every(({ groups }) => groups.length === 1 && groups[0]! > 0) &&
    command !== null &&
    command.words.every((word) => word.length > 0) &&
    latin1(
      command.words[0]!.map((part) => ("literal" in part ? part.literal : [0]))[0] as Uint8Array,
    ).startsWith("/");
  if (!sound) throw new Error(`unsound rule ${name} from ${JSON.stringify(text)}`);
}

function checkProblem(problem: ConfigProblem, lines: number, text: string): void {
  const { line, column, length, message } = problem;
  if (line === 0 && message.startsWith("There may be more")) return;
  const width = [...problem.text].length;
  const sound =
    line >= 1 &&
    line <= lines &&
    column >= 1 &&
    length >= 1 &&
    (column + length - 1 <= width || (length === 1 && column === width + 1)) &&
    /^[A-Z].*[^.]$/.test(message) &&
    !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(formatProblem(problem));
  if (!sound) throw new Error(`unsound problem ${JSON.stringify({ problem, text })}`);
}

function invented(random: Random): string {
  return Array.from({ length: random(40) }, () => pieces[random(pieces.length)]!).join("");
}

function command(random: Random): string {
  const length = 1 + random(9);
  const start = ["", "", "echo ", "printf %s ", "x=$#; ", "bash -c "][random(6)]!;
  return (
    start +
    Array.from({ length }, () => shellPieces[random(shellPieces.length)]!).join(
      random(2) === 0 ? "" : " ",
    )
  );
}

function withCommand(random: Random): string {
  return `/f IN_OPEN ${command(random)}\n`;
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
      shellPieces[random(shellPieces.length)]!,
      String.fromCharCode(random(256)),
    ][random(5)]!;
    text = text.slice(0, from) + middle + text.slice(to);
  }
  return text;
}
