/** Which rules a record meets, what their lines and triggers say, and what is asked of the kernel. */
import { describe, expect, test } from "bun:test";
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { type MatchedRule, overflowRules, RuleSet } from "../../src/rule/rule-set.ts";
import { allOf, bits, met, Place, rule } from "./matched-place.ts";

describe("a rule hears of", () => {
  const plain = allOf("create,delete,moved_from,moved_to,modify,attrib,open", { children: false });
  const child = allOf("create,modify,attrib,open", { children: true });
  const dir = allOf("create,modify,attrib,open", { children: false, directories: true });
  const both = allOf("create,modify,attrib,open", { children: true, directories: true });

  // [what happened, to whom, whether each of the four hears of it]
  const file = { isDirectory: false };
  const directory = { isDirectory: true };
  test.each([
    ["create", "a file in it", file, "plain child dir both"],
    ["modify", "a file in it", file, "child both"],
    ["open", "a file in it", file, "child both"],
    ["create", "a directory in it", directory, "dir both"],
    ["attrib", "a directory in it", directory, "both"],
  ])("%s of %s: as fanotify_mark(2) has it", (events, _, kind, expected) => {
    const place = new Place([
      rule("plain", [plain]),
      rule("child", [child]),
      rule("dir", [dir]),
      rule("both", [both]),
    ]);
    expect(met(place.child(events, "f", kind))).toBe(expected.replaceAll(" ", "+"));
  });

  test.each([
    ["attrib", directory, "dir both"],
    ["modify", file, "plain child dir both"],
  ])("%s of the place itself, of a directory with FAN_ONDIR only", (events, kind, expected) => {
    const place = new Place([
      rule("plain", [plain]),
      rule("child", [child]),
      rule("dir", [dir]),
      rule("both", [both]),
    ]);
    expect(met(place.self(events, kind))).toBe(expected.replaceAll(" ", "+"));
  });

  test.each(["create", "delete", "moved_from", "moved_to"])(
    "%s in a directory without FAN_EVENT_ON_CHILD: the directory reports its entries itself",
    (events) => {
      expect(met(new Place([rule("plain", [plain])]).child(events))).toBe("plain");
    },
  );

  test("nothing that it does not list", () => {
    expect(new Place([rule("r", [allOf("create")])]).child("delete")).toEqual([]);
  });

  test("an event of an entry, but not of what the same record says of its inode", () => {
    const place = new Place([rule("m", [allOf("modify", { children: false })])]);
    expect(place.child("create modify")).toEqual([]);
  });

  test("what any of its alternatives sees, once", () => {
    const place = new Place([rule("r", [allOf("create"), allOf("create,modify"), allOf("open")])]);
    expect(met(place.child("create modify open"))).toBe("r");
  });

  test("what one alternative sees though another one looks away", () => {
    const seesFiles = allOf("create", { directories: false });
    const seesDirectories = allOf("delete", { directories: true });
    const place = new Place([rule("r", [seesFiles, seesDirectories])]);
    expect(met(place.child("create", "d", { isDirectory: true }))).toBe("");
    expect(met(place.child("delete", "d", { isDirectory: true }))).toBe("r");
  });
});

describe("a line", () => {
  test("names all rules that are met, in the order of the rules", () => {
    const place = new Place([
      rule("one", [allOf("modify")]),
      rule("two", [allOf("create")]),
      rule("three", [allOf("create")]),
    ]);
    expect(place.child("create")).toEqual([
      { rules: ["two", "three"], events: ["create"], path: "/d/f" },
    ]);
  });

  test("lists the record's events that some rule here looks at, in the order of a file's life", () => {
    const place = new Place([rule("r", [allOf("close_write,create")])]);
    expect(place.child("close_write modify create")[0]!.events).toEqual(["create", "close_write"]);
  });

  test("is one for two equal rules, with both, and both run", () => {
    const twin = () => rule("twin", [allOf("create")], { runs: true });
    const place = new Place([twin(), twin()]);
    expect(met(place.child("create"))).toBe("twin+twin");
    expect(place.triggers().map(({ rule: index }) => index)).toEqual([0, 1]);
  });

  test("of a name with quotes is JSON", () => {
    const place = new Place([rule('a "rule"\n', [allOf("create")])]);
    expect(place.child("create", '"\n\\')[0]).toEqual({
      rules: ['a "rule"\n'],
      events: ["create"],
      path: '/d/"\n\\',
    });
  });
});

describe("a trigger", () => {
  test("is made for rules that run, and for them only", () => {
    const place = new Place([
      rule("emits", [allOf("create")]),
      rule("runs", [allOf("create")], { runs: true }),
      rule("sleeps", [allOf("modify")], { runs: true }),
    ]);
    place.child("create", "name");
    const [first, ...others] = place.triggers();
    expect(others).toEqual([]);
    expect([first!.rule, first!.events, first!.pid, first!.seq, latin1(first!.path)]).toEqual([
      1,
      eventBits.create,
      7,
      1,
      "/d/name",
    ]);
  });

  test("of a rule that remembers carries the path that completed it", () => {
    const place = new Place([rule("r", [allOf("modify|attrib")], { runs: true })]);
    place.child("modify", "f");
    place.child("modify", "g");
    place.child("attrib", "g");
    expect(place.triggers().map(({ path }) => latin1(path))).toEqual(["/d/g"]);
  });
});

describe("rename", () => {
  const renames = () => rule("r", [allOf("rename,moved_from,moved_to")]);

  test("is one line for a rule that asks for it, and the two moves are none", () => {
    const place = new Place([renames()]);
    const lines = [
      ...place.renamed("a", "b"),
      ...place.child("moved_from", "a", { isRenamed: true }),
      ...place.child("moved_to", "b", { isRenamed: true }),
    ];
    expect(lines).toEqual([{ rules: ["r"], events: ["rename"], path: "/d/b" }]);
  });

  test("leaves the two moves to a rule that asks for them only", () => {
    const place = new Place([renames(), rule("moves", [allOf("moved_from,moved_to")])]);
    expect(met(place.renamed("a", "b"))).toBe("r");
    expect(met(place.child("moved_from", "a", { isRenamed: true }))).toBe("moves");
    expect(met(place.child("moved_to", "b", { isRenamed: true }))).toBe("moves");
  });

  test("out of sight is a move", () => {
    expect(met(new Place([renames()]).child("moved_from", "a"))).toBe("r");
  });

  test("keeps the other events of the record of a move", () => {
    const place = new Place([rule("r", [allOf("rename,moved_to,close_write")])]);
    expect(met(place.child("moved_to close_write", "b", { isRenamed: true }))).toBe("r");
  });

  test("counts for A|B", () => {
    const place = new Place([rule("r", [allOf("rename|close_write")])]);
    place.renamed("a", "b");
    place.child("moved_from", "a", { isRenamed: true });
    place.child("moved_to", "b", { isRenamed: true });
    expect(met(place.child("close_write", "b"))).toBe("r");
  });
});

describe("Interests asks the kernel for", () => {
  const interests = (...rules: MatchedRule[]): Interests =>
    new Interests(
      new RuleSet(rules),
      rules.map((_, index) => ({ rule: index, self: true, children: true })),
    );

  test("the union of what its rules look at, and no more", () => {
    const { events, kernelEvents, children, directories } = interests(
      rule("a", [allOf("create", { children: false })]),
      rule("b", [allOf("modify", { children: false })]),
    );
    expect({ events, kernelEvents, children, directories }).toEqual({
      events: bits("create modify"),
      kernelEvents: bits("create modify"),
      children: false,
      directories: false,
    });
  });

  test("children and directories if one alternative does", () => {
    const { children, directories } = interests(
      rule("a", [allOf("create", { children: false })]),
      rule("b", [allOf("open", { children: false, directories: true }), allOf("modify")]),
    );
    expect({ children, directories }).toEqual({ children: true, directories: true });
  });

  test("what ends a path's history if a rule remembers, but tells no one of it", () => {
    const { events, kernelEvents } = interests(rule("a", [allOf("modify|attrib")]));
    expect(events).toBe(bits("modify attrib"));
    expect(kernelEvents).toBe(
      bits("modify attrib delete moved_from moved_to delete_self move_self"),
    );
  });
});

describe("an overflow", () => {
  test("is told without rules, and starts the rules that wait for it", () => {
    const place = new Place([
      rule("files", [allOf("create")], { runs: true }),
      rule("lost", [allOf("q_overflow")], { runs: true }),
      rule("either", [allOf("create"), allOf("q_overflow")], { runs: true, watch: "/e" }),
    ]);
    expect(place.overflow()).toEqual([{ rules: [], events: ["q_overflow"], path: "" }]);
    expect(place.triggers().map((one) => [one.rule, latin1(one.path)])).toEqual([
      [1, "/d"],
      [2, "/e"],
    ]);
  });

  test("is heard by rules that list it", () => {
    const rules = [rule("a", [allOf("create")]), rule("b", [allOf("create,q_overflow")])];
    expect(overflowRules(rules)).toEqual([1]);
  });
});
