import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "../../ffi/bytes.ts";
import { placeAt } from "../../src/config/gate-places.ts";
import { tryGates } from "../../src/config/gate-trial.ts";
import { parseToml } from "../../src/config/toml.ts";
import { type ActorFacts, unknownActor } from "../../src/rule/actor.ts";
import { type Gate, gateBits, type GateEventName } from "../../src/rule/gate.ts";
import type { FileFacts } from "../../src/rule/subject.ts";

const top = realpathSync(mkdtempSync(join(tmpdir(), "facron-gate-trial-")));
afterAll(() => rmSync(top, { recursive: true }));
mkdirSync(join(top, "in/.dots/deep"), { recursive: true });
mkdirSync(join(top, "a1/up"), { recursive: true });
writeFileSync(join(top, "in/x.exe"), "12345");
writeFileSync(join(top, "one"), "1");
symlinkSync("in", join(top, "link"));

/** What a gate says that watches `watch` and has these keys, too. */
function gateOf(watch: string, keys = ""): Gate {
  const text = `[[gate]]\nname = "g"\nwatch = "${watch}"\n${keys}\n`;
  const defaults = `${/^on = /m.test(keys) ? "" : 'on = "open_perm"\n'}verdict = "deny"\n`;
  const { gates } = parseToml({ file: "t.toml", bytes: utf8(text + defaults), cwd: top });
  return gates[0]!.gate;
}

interface Tried {
  readonly event?: GateEventName;
  readonly facts?: FileFacts | null;
  readonly actor?: ActorFacts;
}

/** "decides", or why it does not. */
function tried(gate: Gate, path: string, given: Tried = {}): string {
  const { event = "open_perm", facts = { type: "file", size: 5 }, actor = unknownActor } = given;
  const { standings, decider } = tryGates([gate], {
    event: gateBits[event],
    place: placeAt(utf8(join(top, path))),
    facts,
    actor,
    uidOf: (user) => (user === "root" ? 0 : null),
  });
  const [standing] = standings;
  if (standing!.kind === "passes") return standing!.why;
  const decides = decider === gate ? "decides" : "does not decide";
  return standing!.kind === "depends" ? `${decides}, but: ${standing!.decidesIf}` : decides;
}

test.each([
  ["in", "", "in/x.exe", "decides"],
  ["in", "", "in", "decides"],
  ["in", "", "in/not/there", "the path is further below, and the gate is not recursive"],
  ["in", "recursive = true", "in/not/there", "decides"],
  ["in", "", "one", `it watches "${top}/in", and the path is not in there`],
  ["in", "", "input", `it watches "${top}/in", and the path is not in there`],
  ["one", "", "one", "decides"],
  ["link", "", "in/x.exe", "decides"],
  ["in", "", "link/x.exe", "decides"],
  [
    "link",
    "follow_symlink = false",
    "in/x.exe",
    `it watches "${top}/link", and the path is not in there`,
  ],
  ["one", "only_directory = true", "one", `it watches "${top}/one", and the path is not in there`],
  ["a?/up", "", "a1/up/x", "decides"],
  ["a?/up", "recursive = true", "a1/up/x/y", "decides"],
  ["i*/*.exe", "", "in/x.exe", "decides"],
  ["i*/*.exe", "", "in/x.txt", `it watches "${top}/i*/*.exe", and the path is not in there`],
  [
    "in",
    "recursive = true\ndot_directories = false",
    "in/.dots/deep/x",
    "it is below a directory whose name starts with a dot, and those are left out",
  ],
  ["in", 'include = "*.exe"', "in/x.exe", "decides"],
  ["in", 'include = "*.exe"', "in/x", 'left out by include: it is not "*.exe"'],
  ["in", 'exclude = ["*.part", "*.exe"]', "in/x.exe", 'left out by exclude "*.exe"'],
  ["in", 'min_size = "6B"', "in/x.exe", "left out by min_size: it is smaller than 6 B"],
  ["in", 'max_size = "4B"', "in/x.exe", "left out by max_size: it is larger than 4 B"],
  ["in", 'type = "dir"', "in/x.exe", 'left out by type: it is not "dir"'],
  ["in", 'on = "access_perm"', "in/x.exe", "it decides about access_perm"],
  [
    "in",
    'on = "FAN_OPEN_PERM"',
    "in/x.exe",
    "what is in the directory does not count: add |FAN_EVENT_ON_CHILD to the events",
  ],
  ["in", 'on = "FAN_OPEN_PERM|FAN_EVENT_ON_CHILD"', "in/x.exe", "decides"],
])("a gate on %s with %j, asked about %s: %s", (watch, keys, path, says) => {
  expect(tried(gateOf(watch, keys), path)).toBe(says);
});

test("a gate is about directories only if it says so", () => {
  const facts = { type: "dir", size: 0 } as const;
  expect(tried(gateOf("in"), "in/sub", { facts })).toStartWith("directories do not count");
  expect(tried(gateOf("in", 'type = ["file", "dir"]'), "in/sub", { facts })).toBe("decides");
});

test("what is not there has no size that could leave it out", () => {
  expect(tried(gateOf("in", 'min_size = "6B"'), "in/gone", { facts: null })).toBe("decides");
});

test("a gate for certain processes depends on who it is, if that is not known", () => {
  const only = gateOf("in", 'actor = { exe = "/usr/bin/vim" }');
  const not = gateOf("in", 'actor = { not = { uid = "root" } }');
  const vim = { ...unknownActor, exe: utf8("/usr/bin/vim") };
  expect(tried(only, "in/x")).toBe('does not decide, but: only if done by exe "/usr/bin/vim"');
  expect(tried(not, "in/x")).toBe('decides, but: not if done by uid "root"');
  expect(tried(only, "in/x", { actor: vim })).toBe("decides");
  expect(tried(not, "in/x", { actor: { ...vim, uid: 0 } })).toBe(
    'it is for certain processes: not if done by uid "root"',
  );
  expect(tried(not, "in/x", { actor: { ...vim, uid: 1 } })).toBe("decides");
});

test("the first gate that surely decides is the last that is asked", () => {
  const gates = [
    gateOf("in", 'actor = { exe = "/bin/x" }'),
    gateOf("in", 'include = "*.txt"'),
    gateOf("in"),
    gateOf("in"),
  ];
  const { decider, standings } = tryGates(gates, {
    event: gateBits.open_perm,
    place: placeAt(utf8(join(top, "in/x.exe"))),
    facts: null,
    actor: unknownActor,
    uidOf: () => null,
  });
  expect(decider).toBe(gates[2]!);
  expect(standings.map(({ kind }) => kind)).toEqual(["depends", "passes", "decides"]);
});
