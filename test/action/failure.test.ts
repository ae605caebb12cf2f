import { describe, expect, test } from "bun:test";
import { backoffOf, failureOf, isTriedAgain } from "../../src/action/failure.ts";
import { AccessDenied } from "../../src/action/denials.ts";
import { utf8 } from "../../ffi/bytes.ts";

const retry = { times: 3, backoffMs: 100, maxBackoffMs: 1000 };

describe("failureOf", () => {
  test.each([
    [{ kind: "exited", code: 0 }, null, null],
    [{ kind: "exited", code: 3 }, null, 3],
    [{ kind: "killed", signal: "SIGKILL" }, null, "signal"],
    [{ kind: "not-started", error: new Error("no such file") }, null, "not-started"],
    [{ kind: "not-started", error: new AccessDenied("alice", utf8("/x")) }, null, null],
    [{ kind: "unknown", reason: "somebody else waited for it" }, null, null],
    [{ kind: "exited", code: 0 }, "timeout", "timeout"],
    [{ kind: "killed", signal: "SIGTERM" }, "restart", null],
  ] as const)("%j, stopped for %p", (ending, stopped, kind) => {
    expect(failureOf(ending, stopped)?.kind ?? null).toBe(kind);
  });
});

describe("isTriedAgain", () => {
  test("as often as the rule says, after the first run", () => {
    const tried = [1, 2, 3, 4].map((attempts) =>
      isTriedAgain(retry, { kind: 1, text: "" }, attempts),
    );
    expect(tried).toEqual([true, true, true, false]);
  });

  test("only for what it names", () => {
    const some = { ...retry, on: [75, "timeout"] as const };
    const kinds = [75, 1, "timeout", "signal"] as const;
    expect(kinds.map((kind) => isTriedAgain(some, { kind, text: "" }, 1))).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});

describe("backoffOf", () => {
  test("doubles up to its maximum, and half of it is drawn by lot", () => {
    const least = [1, 2, 3, 4, 5, 60].map((attempts) => backoffOf(retry, attempts, 0));
    expect(least).toEqual([50, 100, 200, 400, 500, 500]);
    expect(backoffOf(retry, 1, 0.999)).toBe(100);
  });
});
