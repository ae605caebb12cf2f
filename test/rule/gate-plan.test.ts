/** What the gate thread gets of a gate. */
import { expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { defaultAsk, gateBits } from "../../src/rule/gate.ts";
import { plannedGate } from "../../src/rule/gate-plan.ts";
import type { ValueName, Word } from "../../src/rule/template.ts";

test("says what the command is told of who asks, besides the program", () => {
  const toldWith = (...values: ValueName[]) => {
    const word: Word = values.map((value) => ({ value }));
    const command = { words: [[{ literal: utf8("/bin/check") }], word] };
    const { decision } = plannedGate(
      {
        ...{ name: "a", watch: [], events: gateBits.open_perm, children: true },
        ...{ directories: false, decision: { kind: "ask", command, ...defaultAsk } },
      },
      () => null,
    );
    return decision.kind === "ask" ? decision.told : null;
  };
  expect(toldWith("path", "exe")).toEqual([]);
  expect(toldWith("uid", "path", "uid")).toEqual(["uid"]);
  expect(toldWith("uid", "comm", "pid")).toEqual(["pid", "comm", "uid"]);
});
