/** Which rules a record meets: what each looks at, what it remembers, and when it forgets. */
import { describe, expect, test } from "bun:test";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { eventBits, type EventName } from "../../src/event.ts";
import { noFamilies } from "../../src/reader/families.ts";
import { JsonLines } from "../../src/output/json-lines.ts";
import { nobody } from "../../src/reader/actors.ts";
import { Dispatch } from "../../src/reader/dispatch.ts";
import { type Trigger, TriggerReader, TriggerWriter } from "../../src/reader/trigger.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { Memory, rememberedPathsMax } from "../../src/rule/memory.ts";
import type { Alternative } from "../../src/rule/rule.ts";
import { type MatchedRule, overflowRules, RuleSet } from "../../src/rule/rule-set.ts";
import { viewRenamed } from "../../src/rule/view.ts";
import type { Backend, EventSink } from "../../src/watch/backend.ts";
import { RealDisk } from "../../src/watch/disk.ts";
import { addNode, type Mark, Node } from "../../src/watch/tree.ts";
import type { WatchTable } from "../../src/watch/watch-table.ts";

function bits(names: string): number {
  const words = names.split(/[ ,]+/).filter((name) => name !== "");
  return words.reduce((all, name) => all | eventBits[name as EventName], 0);
}

interface Sees {
  readonly children?: boolean;
  readonly directories?: boolean;
}

/** `"create,modify | delete"`: any of the first two, and a delete. */
function allOf(text: string, { children = true, directories = false }: Sees = {}): Alternative {
  return { groups: text.split("|").map(bits), children, directories };
}

function rule(
  name: string,
  alternatives: readonly Alternative[],
  { watch = "/d", runs = false } = {},
): MatchedRule {
  return { name, watch: [{ path: utf8(watch), recursive: false }], condition: alternatives, runs };
}

interface Line {
  readonly rules: string[];
  readonly events: string[];
  readonly path: string;
}

/** A watched directory `/d`, its rules, and the way that records take from a backend to lines. */
class Place {
  readonly #lines = new JsonLines(1024);
  readonly #triggers = new TriggerWriter();
  readonly #dispatch: Dispatch;
  readonly #mark: Mark = { isDirectory: true, identity: null, nodes: [], names: null, mask: 0 };
  readonly node: Node;
  rules: RuleSet;

  constructor(rules: readonly MatchedRule[]) {
    this.rules = new RuleSet(rules);
    this.#lines.setTime(0);
    this.#dispatch = new Dispatch(this.#lines, this.#triggers, {
      linesAreMany: () => {},
      overflow: () => {},
      entrySeen: () => {},
      ignoreFileChanged: () => {},
      disk: new RealDisk({ warn() {} }),
      actors: nobody,
      families: noFamilies,
    });
    const path = utf8("/d");
    const root = {
      path,
      top: this.#interests(),
      below: null,
      belowHidden: null,
      isStrict: false,
      node: null,
      namesSubdirectories: true,
      noticesNames: false,
      scope: "tree" as const,
    };
    this.node = new Node(root, this.#mark, { parent: null, name: path });
    addNode(this.#mark, this.node);
    this.#dispatch.setRules(this.rules);
  }

  reload(rules: readonly MatchedRule[]): void {
    this.rules = new RuleSet(rules, this.rules);
    this.node.root.top = this.#interests();
    this.#dispatch.setRules(this.rules);
  }

  /** Something in the directory. @returns the lines it made */
  child(events: string, name = "f", { isDirectory = false, isRenamed = false } = {}): Line[] {
    const bytes = utf8(`..${name}.`);
    return this.#read((sink) => {
      const end = bytes.length - 1;
      sink.child(
        this.node,
        bits(events),
        isDirectory,
        bytes,
        2,
        end,
        7,
        isRenamed ? viewRenamed : 0,
      );
    });
  }

  self(events: string, { isDirectory = true } = {}): Line[] {
    return this.#read((sink) => sink.self(this.node, bits(events), isDirectory, 7));
  }

  renamed(from: string, to: string): Line[] {
    const place = (name: string) => ({ node: this.node, name: utf8(name) });
    return this.#read((sink) =>
      sink.renamed({ from: place(from), to: place(to), isDirectory: false, pid: 7 }),
    );
  }

  overflow(): Line[] {
    return this.#read((sink) => sink.overflow({ name: "inotify" } as Backend));
  }

  triggers(): Trigger[] {
    const reader = new TriggerReader(this.#triggers.take());
    const all: Trigger[] = [];
    for (let one = reader.take(); one !== null; one = reader.take()) all.push(one);
    return all;
  }

  #interests(): Interests {
    const list = this.rules.rules.map((_, index) => ({ rule: index, self: true, children: true }));
    return new Interests(this.rules, list);
  }

  #read(deliver: (sink: EventSink) => void): Line[] {
    const backend = { read: (sink: EventSink) => (deliver(sink), 1) };
    const ignore = () => {};
    const table = {
      backend,
      noticeName: ignore,
      checkRoot: ignore,
      afterRead: ignore,
      told: { note: ignore },
    };
    this.#dispatch.read(table as unknown as WatchTable);
    const text = new TextDecoder().decode(this.#lines.take());
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.map((line) => {
      const { rules = [], events, path = "" } = JSON.parse(line);
      return { rules, events, path };
    });
  }
}

/** Which rules the lines name, "" for no line. */
function met(lines: readonly Line[]): string {
  return lines.map(({ rules }) => rules.join("+")).join(" ");
}

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

describe("A|B", () => {
  const orders = permutations(["modify", "attrib", "open", "close_write"]);

  test.each(orders.map((order) => [order.join(" ")]))("is met by the last of: %s", (order) => {
    const place = new Place([rule("r", [allOf("modify|attrib|open|close_write")])]);
    const answers = order.split(" ").map((events) => met(place.child(events)));
    expect(answers).toEqual(["", "", "", "r"]);
  });

  test("is met by one record that has all", () => {
    expect(met(new Place([rule("r", [allOf("create|modify")])]).child("create modify"))).toBe("r");
  });

  test("is met by records that overlap", () => {
    const place = new Place([rule("r", [allOf("create|modify|close_write")])]);
    expect(met(place.child("create modify"))).toBe("");
    expect(met(place.child("modify"))).toBe("");
    expect(met(place.child("modify close_write"))).toBe("r");
  });

  test("is met again only when all have happened again", () => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    const events = ["modify", "close_write", "close_write", "close_write", "modify", "modify"];
    expect(events.map((one) => met(place.child(one)))).toEqual(["", "r", "", "", "r", ""]);
  });

  test("is met for each path apart", () => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    expect(met(place.child("modify", "a"))).toBe("");
    expect(met(place.child("close_write", "b"))).toBe("");
    expect(met(place.child("modify", "b"))).toBe("r");
    expect(met(place.child("close_write", "a"))).toBe("r");
  });

  test("tells a name from the place itself", () => {
    const seesAll = allOf("open|attrib", { directories: true });
    const place = new Place([rule("r", [seesAll])]);
    place.self("open");
    expect(met(place.child("attrib", "f"))).toBe("");
    expect(met(place.self("attrib"))).toBe("r");
  });

  test("takes any event of a name that stands for several", () => {
    const place = new Place([rule("r", [allOf("close_write,close_nowrite|open")])]);
    place.child("close_nowrite");
    expect(met(place.child("open"))).toBe("r");
  });

  test("beside C is met by either, and by both of them at once only once", () => {
    const place = new Place([rule("r", [allOf("modify|attrib"), allOf("open")])]);
    expect(met(place.child("open"))).toBe("r");
    place.child("modify");
    expect(place.child("attrib open")).toEqual([
      { rules: ["r"], events: ["open", "attrib"], path: "/d/f" },
    ]);
  });

  test("does not take an event of a child without FAN_EVENT_ON_CHILD", () => {
    const place = new Place([rule("r", [allOf("create|modify", { children: false })])]);
    expect(met(place.child("create modify"))).toBe("");
  });

  test("of two equal rules is met for both", () => {
    const twin = () => rule("twin", [allOf("modify|attrib")], { runs: true });
    const place = new Place([twin(), twin()]);
    place.child("modify");
    expect(met(place.child("attrib"))).toBe("twin+twin");
    expect(place.triggers().length).toBe(2);
  });

  test("of several rules stands on one line with what is met at once", () => {
    const place = new Place([
      rule("all", [allOf("modify|attrib")]),
      rule("any", [allOf("attrib")]),
      rule("later", [allOf("attrib|open")]),
    ]);
    place.child("modify");
    expect(met(place.child("attrib"))).toBe("all+any");
  });
});

describe("what A|B remembers of a path ends with", () => {
  test.each(["delete", "moved_from", "moved_to"])("%s of the entry", (ending) => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    place.child("modify");
    place.child(ending);
    expect(met(place.child("close_write"))).toBe("");
    expect(met(place.child("modify"))).toBe("r");
  });

  test.each(["delete_self", "move_self"])("%s of the place", (ending) => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    place.self("modify", { isDirectory: false });
    place.self(ending, { isDirectory: false });
    expect(met(place.self("close_write", { isDirectory: false }))).toBe("");
  });

  test("the delete of that path and of no other", () => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    place.child("modify", "a");
    place.child("delete", "b");
    expect(met(place.child("close_write", "a"))).toBe("r");
  });

  test("no event that it lists itself", () => {
    const place = new Place([rule("r", [allOf("delete|create")])]);
    place.child("delete");
    expect(met(place.child("create"))).toBe("r");
  });

  test("one that it does not list, though it lists another", () => {
    const place = new Place([rule("r", [allOf("modify|delete|create")])]);
    place.child("modify");
    place.child("delete");
    expect(met(place.child("create"))).toBe("r");
    place.child("modify");
    place.child("moved_to");
    place.child("delete");
    expect(met(place.child("create"))).toBe("");
  });

  test("the arrival of a new file of that name, whose own record counts for it", () => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    place.child("modify");
    expect(met(place.child("moved_to close_write"))).toBe("");
    expect(met(place.child("modify"))).toBe("r");
  });

  test("its going, after that record has counted", () => {
    const place = new Place([rule("r", [allOf("modify|close_write")])]);
    place.child("modify");
    expect(met(place.child("close_write delete"))).toBe("r");
    place.child("modify delete");
    expect(met(place.child("close_write"))).toBe("");
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

describe("a reload", () => {
  const waits = (name: string, watch = "/d") => rule(name, [allOf("modify|attrib")], { watch });

  test("keeps what a rule remembers, under another name and another number", () => {
    const place = new Place([waits("table:1")]);
    place.child("modify");
    place.reload([rule("new", [allOf("create")]), waits("table:2")]);
    expect(met(place.child("attrib"))).toBe("table:2");
  });

  test("starts anew for a rule that waits for something else", () => {
    const place = new Place([waits("r")]);
    place.child("modify");
    place.reload([rule("r", [allOf("modify|attrib|open")])]);
    place.child("attrib");
    expect(met(place.child("open"))).toBe("");
  });

  test("keeps two equal rules apart", () => {
    const place = new Place([waits("a"), waits("b")]);
    place.child("modify");
    place.reload([waits("a"), waits("b")]);
    expect(met(place.child("attrib"))).toBe("a+b");
    place.reload([waits("a")]);
    place.child("modify");
    place.reload([waits("a"), waits("b")]);
    expect(met(place.child("attrib"))).toBe("a");
  });

  test("forgets what no rule waits for any more", () => {
    const place = new Place([waits("r")]);
    place.child("modify");
    place.reload([]);
    place.reload([waits("r")]);
    expect(met(place.child("attrib"))).toBe("");
  });
});

describe("Memory", () => {
  test("keeps no path whose alternative was met", () => {
    const memory = new Memory(allOf("modify|attrib"));
    expect(memory.add("a", 1)).toBe(false);
    expect(memory.add("a", 2)).toBe(true);
    expect(memory.size).toBe(0);
  });

  test("is bounded: the path that was quiet for longest goes, and is counted", () => {
    const memory = new Memory(allOf("modify|attrib"));
    for (let i = 0; i < rememberedPathsMax; i++) memory.add(`${i}`, 1);
    memory.add("0", 1); // of the oldest something is heard again
    expect(memory.dropped).toBe(0);
    memory.add("one more", 1);
    expect([memory.size, memory.dropped]).toEqual([rememberedPathsMax, 1]);
    expect(memory.add("1", 2)).toBe(false);
    expect(memory.add("0", 2)).toBe(true);
  });

  test("takes 16 groups", () => {
    const memory = new Memory(allOf(Object.keys(eventBits).join("|")));
    for (let n = 0; n < 15; n++) expect(memory.add("a", 1 << n)).toBe(false);
    expect(memory.add("a", 1 << 15)).toBe(true);
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

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, at) =>
    permutations(items.filter((_, i) => i !== at)).map((rest) => [first, ...rest]),
  );
}
