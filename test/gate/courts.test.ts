/** Plans that come into force, and roots that are heard of before and after them. */
import { expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { Courts } from "../../src/gate/courts.ts";
import type { FromReaderToGate, GatePlan } from "../../src/gate/messages.ts";
import { gateBits } from "../../src/rule/gate.ts";

function planOf(generation: number): GatePlan {
  const gate = {
    ...({ name: "gate", scope: "tree", events: gateBits.open_perm, children: true } as const),
    ...({ directories: false, decision: { kind: "deny" }, audit: false, errno: 0 } as const),
  };
  return { generation, gates: [gate], log: "none", dryRun: false };
}

function root(generation: number, key = "/srv"): FromReaderToGate {
  const claims = [{ gate: 0, recursive: true, skipsHidden: false, names: null }];
  const path = utf8(key);
  return { kind: "root", root: { generation, key, path, inode: "1", isDirectory: true, claims } };
}

/** Whether a gate that is in force is about a file. */
function decides(courts: Courts, path = "/srv/file"): boolean {
  const question = { events: gateBits.open_perm, facts: () => null, actor: () => null! };
  return courts.inForce.indexFor(utf8(path), path.length, question) === 0;
}

test("a root that is heard of before its plan is known when that comes into force", () => {
  const courts = new Courts(planOf(1));
  courts.place(root(2));
  courts.prepare(planOf(2));
  expect(decides(courts)).toBe(false);
  expect(courts.putInForce(2)).toBe(true);
  expect(decides(courts)).toBe(true);
});

test("a root that is heard of two plans ahead waits for its own", () => {
  const courts = new Courts(planOf(1));
  courts.place(root(3));
  courts.place({ kind: "root-gone", generation: 3, key: "/srv" });
  courts.place(root(3, "/other"));
  courts.prepare(planOf(2));
  courts.prepare(planOf(3));
  expect(courts.putInForce(2)).toBe(false);
  expect(courts.putInForce(3)).toBe(true);
  expect(decides(courts)).toBe(false);
  expect(decides(courts, "/other/file")).toBe(true);
});

test("a plan decides by its own roots until the next is in force", () => {
  const courts = new Courts(planOf(1));
  courts.place(root(1));
  courts.prepare(planOf(2));
  expect(decides(courts)).toBe(true);
  courts.place({ kind: "root-gone", generation: 1, key: "/srv" });
  expect(decides(courts)).toBe(false);
});
