/**
 * Every table in test/golden/config against what lies beside it: rules and warnings for the good,
 * the printed problems for the bad.
 *
 * After a change that is meant, UPDATE_GOLDEN=1 writes the expectations anew (`bun fmt` them, read the diff).
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, formatProblem, type ConfigProblem } from "../../src/errors.ts";
import { parse, readableRule } from "./readable.ts";

const golden = join(import.meta.dir, "../golden/config");
const update = process.env["UPDATE_GOLDEN"] === "1";

describe("parseFacronTable reads", () => {
  for (const name of tablesIn("good")) {
    test(name, () => {
      const expectation = join(golden, "good", `${name}.json`);
      const result = resultOf(name);
      if (update) writeFileSync(expectation, JSON.stringify(result, null, 2));
      expect(result).toEqual(JSON.parse(readFileSync(expectation, "utf8")));
    });
  }
});

describe("parseFacronTable refuses", () => {
  for (const name of tablesIn("bad")) {
    test(name, () => {
      const expectation = join(golden, "bad", `${name}.txt`);
      const printed = `${refusalOf(name)}\n`;
      if (update) writeFileSync(expectation, printed);
      expect(printed).toBe(readFileSync(expectation, "utf8"));
    });
  }
});

test("the golden tables of a dialect are at least 20 good and 25 bad", () => {
  expect(tablesIn("good").length).toBeGreaterThanOrEqual(20);
  expect(tablesIn("bad").length).toBeGreaterThanOrEqual(25);
});

/** Each message that the dialect can give, by its start or its cure. */
const messages = [
  /Unknown event "FAN_MODFIY": did you mean FAN_MODIFY\?/,
  /Unknown event "0x8": events are written as names/,
  /Unknown event "WHATEVER": write names like/,
  /Unknown event "files": a path with blanks needs quotes/,
  /Cannot use "FAN_OPEN_PERM": permission events need gates/,
  /Cannot use "FAN_ALL_OUTGOING_EVENTS": it holds permission events/,
  /Cannot use "IN_ISDIR": it is a mark on events/,
  /Cannot use "IN_IGNORED": it tells of the end of a watch/,
  /Cannot use "IN_ONLYDIR": it is an option of inotify/,
  /Cannot combine "IN_OPEN" with FAN_OPEN: one line uses one backend/,
  /Cannot combine "FAN_ONDIR" with IN_CREATE: it modifies FAN_ names only/,
  /Cannot join "FAN_Q_OVERFLOW" to other events/,
  /Missing event in "FAN_ONDIR"/,
  /Missing path before "FAN_OPEN"/,
  /Missing mask after "\/srv\/in"/,
  /Quoted mask "FAN_OPEN"/,
  /Unexpected "\|" after the mask: no spaces inside a mask/,
  /Cannot watch "": the path is empty/,
  /Cannot run "": the program is empty/,
  /Missing closing quote "/,
  /Missing closing quote '/,
  /Unexpected NUL byte/,
];

test("every message of the facron table is in a golden file", () => {
  const printed = tablesIn("bad").map(refusalOf).join("\n");
  expect(messages.filter((message) => !message.test(printed))).toEqual([]);
});

function tablesIn(folder: "good" | "bad"): string[] {
  const files = readdirSync(join(golden, folder)).filter((file) => file.endsWith(".conf"));
  return files.map((file) => file.slice(0, -".conf".length)).sort();
}

/** Without the warnings about programs: those depend on the machine. */
function resultOf(name: string) {
  const { rules, warnings } = parse(bytesIn("good", name), { file: `/etc/${name}.conf` });
  const lasting = warnings.filter(({ message }) => !message.startsWith("Cannot run "));
  return { rules: rules.map(readableRule), warnings: lasting.map(formatProblem) };
}

function refusalOf(name: string): string {
  return problemsOf(name).map(formatProblem).join("\n");
}

function problemsOf(name: string): readonly ConfigProblem[] {
  try {
    parse(bytesIn("bad", name), { file: `${name}.conf` });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error(`${name}.conf is read without a problem`);
}

function bytesIn(folder: "good" | "bad", name: string): Uint8Array {
  return readFileSync(join(golden, folder, `${name}.conf`));
}
