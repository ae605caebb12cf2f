/** `A|B`: when it is met, what it remembers of a path, and when it forgets. */
import { describe, expect, test } from "bun:test";
import { eventBits } from "../../src/event.ts";
import { Memory, rememberedPathsMax } from "../../src/rule/memory.ts";
import { allOf, met, Place, rule } from "./matched-place.ts";

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

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, at) =>
    permutations(items.filter((_, i) => i !== at)).map((rest) => [first, ...rest]),
  );
}
