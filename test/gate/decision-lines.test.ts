/** Decision lines read back as JSON, as the reader completes them. */
import { describe, expect, test } from "bun:test";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { type Decision, DecisionWriter } from "../../src/gate/decision-lines.ts";
import { unknownActor } from "../../src/rule/actor.ts";
import { gateBits } from "../../src/rule/gate.ts";
import { gate } from "./planned.ts";

const denied: Decision = {
  ...{ gate: gate({ name: 'no "exe"\n' }), verdict: "deny", by: "verdict" },
  ...{ events: gateBits.open_perm, path: utf8("/srv/a"), pid: 7, waitedMicroseconds: 12.4 },
  actor: { comm: utf8("cat"), exe: utf8("/usr/bin/cat"), uid: 33 },
};

/** Each line without its start, which the reader writes: version, number and time. */
function linesOf(...decisions: Partial<Decision>[]): Record<string, unknown>[] {
  const writer = new DecisionWriter();
  for (const one of decisions) writer.add({ ...denied, ...one });
  const text = new TextDecoder("utf-8", { fatal: true }).decode(writer.take());
  expect(writer.byteLength).toBe(0);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(`{${line}`));
}

describe("a decision", () => {
  test("has all that is known, in words", () => {
    expect(linesOf({})).toEqual([
      {
        ...{ gate: 'no "exe"\n', verdict: "deny", on: ["open_perm"], path: "/srv/a", pid: 7 },
        ...{ comm: "cat", exe: "/usr/bin/cat", uid: 33, waited_us: 12, by: "verdict" },
      },
    ]);
  });

  test("leaves out what is not known", () => {
    const [line] = linesOf({ pid: 0, actor: unknownActor });
    expect(Object.keys(line!)).toEqual(["gate", "verdict", "on", "path", "waited_us", "by"]);
  });

  test("is not mixed up with one of another verdict, or of another event", () => {
    const both = gateBits.open_perm | gateBits.open_exec_perm;
    const lines = linesOf({}, { verdict: "allow" }, { events: both }, { verdict: "allow" }, {});
    expect(lines.map(({ verdict, on }) => [verdict, on])).toEqual([
      ["deny", ["open_perm"]],
      ["allow", ["open_perm"]],
      ["deny", ["open_perm", "open_exec_perm"]],
      ["allow", ["open_perm"]],
      ["deny", ["open_perm"]],
    ]);
  });

  test("of a path that is not UTF-8 has its bytes too, and the next has not", () => {
    const path = fromLatin1("/srv/\xff\xfe\n");
    const [first, second] = linesOf({ path }, {});
    expect(first!["path"]).toBe("/srv/\ufffd\ufffd\n");
    expect(Buffer.from(first!["path_bytes"] as string, "base64")).toEqual(Buffer.from(path));
    expect(second).not.toHaveProperty("path_bytes");
  });

  test("of the longest path of the worst bytes fits, a thousand times", () => {
    const path = fromLatin1("\x01".repeat(4095));
    const lines = linesOf(...Array.from({ length: 1_000 }, () => ({ path })));
    expect(lines).toHaveLength(1_000);
    expect(lines[999]!["path"]).toBe("\x01".repeat(4095));
  });
});
