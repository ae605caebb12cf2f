import { expect, test } from "bun:test";
import { meaningOf, parseEventList } from "../../src/config/event-names.ts";
import { UsageError } from "../../src/errors.ts";
import { eventBits, eventNames } from "../../src/event.ts";
import { gateBits, gateEventNames } from "../../src/rule/gate.ts";
import { sortedNames } from "./readable.ts";

/** In <linux/inotify.h> and <linux/fanotify.h> these have the values that our bits have. */
const sharedNames = eventNames.filter(
  (name) => !["open_exec", "unmount", "q_overflow", "rename"].includes(name),
);

test.each(sharedNames)("meaningOf gives %s one bit under each of its three names", (name) => {
  const kinds = [`FAN_${name}`, `IN_${name}`, name].map((written) => meaningOf(written));
  const events = eventBits[name];
  expect(kinds).toEqual([
    { kind: "event", backend: "fanotify", events },
    { kind: "event", backend: "inotify", events },
    { kind: "event", backend: "auto", events },
  ]);
});

test("meaningOf does not give a backend events that it does not have", () => {
  const foreign = ["IN_OPEN_EXEC", "IN_RENAME", "FAN_UNMOUNT", "IN_ALL", "ALL_EVENTS"];
  expect(foreign.map(meaningOf)).toEqual([null, null, null, null, null]);
});

test.each([
  ["FAN_CLOSE", "close_write close_nowrite"],
  ["IN_CLOSE", "close_write close_nowrite"],
  ["close", "close_write close_nowrite"],
  ["FAN_MOVE", "moved_from moved_to"],
  ["IN_MOVE", "moved_from moved_to"],
  ["move", "moved_from moved_to"],
  ["FAN_ALL_EVENTS", "access modify close_write close_nowrite open"],
  ["IN_ALL_EVENTS", sharedNames.join(" ")],
  ["all", eventNames.filter((name) => name !== "q_overflow").join(" ")],
])("meaningOf(%s) is any of %s", (alias, names) => {
  const meaning = meaningOf(alias);
  expect(meaning?.kind === "event" && sortedNames(meaning.events)).toEqual(names.split(" ").sort());
});

test("meaningOf knows names in any case", () => {
  expect(meaningOf("fAn_MoDiFy")).toEqual(meaningOf("FAN_MODIFY"));
  expect(meaningOf("CLOSE_WRITE")).toEqual(meaningOf("close_write"));
});

test.each(["", "FAN_", "fan_constructor", "__proto__", "toString", " open", "0x2"])(
  "meaningOf(%j) is null",
  (name) => {
    expect(meaningOf(name)).toBeNull();
  },
);

test.each(gateEventNames)("meaningOf gives %s one bit under each of its two names", (name) => {
  const events = gateBits[name];
  expect([name, `FAN_${name}`].map(meaningOf)).toEqual([
    { kind: "permission", backend: "auto", events },
    { kind: "permission", backend: "fanotify", events },
  ]);
  expect(meaningOf(`IN_${name}`)).toBeNull();
});

test("FAN_ALL_PERM_EVENTS are those that <linux/fanotify.h> names so", () => {
  const events = gateBits.open_perm | gateBits.access_perm;
  expect(meaningOf("FAN_ALL_PERM_EVENTS")).toEqual({
    kind: "permission",
    backend: "fanotify",
    events,
  });
});

test.each([
  ["close_write", "close_write"],
  ["close_write,move", "close_write moved_from moved_to"],
  ["FAN_OPEN|in_create , delete", "open create delete"],
  ["q_overflow", "q_overflow"],
])("parseEventList(%j) is any of %s", (list, names) => {
  expect(sortedNames(parseEventList(list))).toEqual(names.split(" ").sort());
});

test.each([
  ["clsoe_write", 'Unknown event "clsoe_write": did you mean close_write?'],
  ["open,FAN_MODFIY", 'Unknown event "FAN_MODFIY": did you mean FAN_MODIFY?'],
  ["FAN_OPEN_EXEC_PRM", 'Unknown event "FAN_OPEN_EXEC_PRM": did you mean FAN_OPEN_EXEC_PERM?'],
  ["FAN_UNHEARD_OF", 'Unknown event "FAN_UNHEARD_OF": write names like'],
  ["open close", 'Unknown event "open close": write names like'],
  ["8", 'Unknown event "8": events are written as names, e.g. FAN_MODIFY'],
  ["\x1b[2J", 'Unknown event "\\x1b[2J": write names like'],
  ["FAN_OPEN_PERM", 'Cannot use "FAN_OPEN_PERM": it is decided before it happens'],
  ["pre_access", "write access to be told afterwards"],
  ["open,FAN_ONDIR", 'Cannot use "FAN_ONDIR": it is no event; leave it out'],
  ["IN_ISDIR", 'Cannot use "IN_ISDIR": it is a mark on events and no event'],
  ["create,", 'Missing event after ",": write one, or remove the ","'],
  [",open", 'Missing event before ",": write one, or remove the ","'],
  ["open, |close", 'Missing event before "|": write one, or remove the "|"'],
  ["", 'Missing event in "": write one or more, e.g. close_write,move'],
  [" , |", 'Missing event in " , |": write one or more'],
])("parseEventList(%j) is a UsageError that says what to write", (list, message) => {
  const call = () => parseEventList(list);
  expect(call).toThrow(UsageError);
  expect(call).toThrow(message);
});
