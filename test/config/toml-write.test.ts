/** How commands run, from TOML to a rule and back: each key for itself, and random ones together. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { convertToToml } from "../../src/config/convert.ts";
import { parseFacronTable } from "../../src/config/facron-table.ts";
import { parseIncronTable } from "../../src/config/incron-table.ts";
import { parseToml } from "../../src/config/toml.ts";
import { tomlJsonSchema } from "../../src/config/toml-schema.ts";
import { defaultPolicy, type Policy, type Surroundings } from "../../src/rule/policy.ts";
import type { Rule } from "../../src/rule/rule.ts";
import { randomNumbers, seedOf } from "./random.ts";

type Actions = Pick<Rule, "policy" | "surroundings">;

const onFailure = { words: [[{ literal: utf8("/bin/y") }], [{ value: "error" as const }]] };

/** Values that each key can have besides its default. */
const policies: { readonly [Key in keyof Policy]: readonly Policy[Key][] } = {
  maxRunning: [1, 999_999],
  order: ["rule"],
  maxQueued: [1, 999_999],
  whenFull: ["drop_oldest", "drop_new"],
  whenBusy: ["merge", "skip", "restart", "signal"],
  busySignal: [10, 9],
  settleMs: [1, 86_400_000],
  settleMaxMs: [86_400_000],
  batch: [
    { max: 2, waitMs: 0 },
    { max: 1_000_000, waitMs: 1_500 },
  ],
  throttleMs: [61_001],
  stdin: ["json", "paths0"],
  timeoutMs: [1, 3_600_000],
  stopSignal: [2, 9],
  killAfterMs: [0, 4_999],
  retry: [
    { times: 1, backoffMs: 0, maxBackoffMs: 0 },
    { times: 9, backoffMs: 1, maxBackoffMs: 2, on: [1, 255, "signal", "timeout", "not-started"] },
  ],
  onFailure: [onFailure],
  loop: ["allow"],
  durable: [true],
};

const surroundings: { readonly [Key in keyof Surroundings]-?: readonly Surroundings[Key][] } = {
  cwd: ["/", "/srv/a b\\c"],
  environment: [{ A: "", "b c": "\"'\\\n{x}é" }],
  clearsEnvironment: [true],
  group: ["33", "www-data"],
  umask: [0, 0o7, 0o777],
  nice: [-20, 0, 19],
  session: [true],
  cgroup: [{}, { memoryMax: 1_048_577 }, { pidsMax: 1 }, { memoryMax: 3e6, pidsMax: 4 }],
  output: [{ kind: "log" }, { kind: "null" }, { kind: "file", path: "/var/log/it's.log" }],
};

/** What is read from the TOML that says this of a rule. */
function again(actions: Actions): Actions {
  const bytes = utf8('/f open /bin/x "{"\n');
  const { rules } = parseFacronTable({ file: "t.conf", bytes, cwd: "/cwd" });
  const given = rules.map((placed) => ({ ...placed, rule: { ...placed.rule, ...actions } }));
  const toml = convertToToml({ file: "t.conf", bytes, format: "facron", gates: [], rules: given });
  const { policy, surroundings: found } = parseToml({
    ...{ file: "t.toml", cwd: "/cwd" },
    bytes: utf8(toml),
  }).rules[0]!.rule;
  return { ...(policy && { policy }), ...(found && { surroundings: found }) };
}

/** With what its value asks for. */
function policyWith(given: Partial<Policy>): Policy {
  const policy = { ...defaultPolicy, ...given };
  return {
    ...policy,
    ...(policy.batch !== null && policy.stdin === "none" ? { stdin: "json" as const } : {}),
    ...(policy.busySignal === 1 ? {} : { whenBusy: "signal" as const }),
    ...(policy.settleMaxMs > 0 && policy.settleMs === 0 ? { settleMs: 7 } : {}),
    ...(policy.durable ? { whenFull: "block" as const } : {}),
  };
}

describe("what convert writes means the same", () => {
  for (const [key, values] of Object.entries(policies))
    for (const value of values)
      test(`${key} = ${JSON.stringify(value)}`, () => {
        const actions = { policy: policyWith({ [key]: value }) };
        expect(again(actions)).toEqual(actions);
      });

  for (const [key, values] of Object.entries(surroundings))
    for (const value of values)
      test(`${key} = ${JSON.stringify(value)}`, () => {
        const actions = { surroundings: { [key]: value } };
        expect(again(actions)).toEqual(actions);
      });

  test("of many keys together", () => {
    const random = randomNumbers(seedOf("toml-write"));
    const some = (table: Readonly<Record<string, readonly unknown[]>>) =>
      Object.fromEntries(
        Object.entries(table)
          .filter(() => random(2) === 0)
          .map(([key, values]) => [key, values[random(values.length)]]),
      );
    for (let run = 0; run < 500; run++) {
      const policy = policyWith({ ...some(policies), durable: true });
      const actions = { policy, surroundings: { ...some(surroundings), nice: 1 } };
      expect(again(actions)).toEqual(actions);
    }
  });
});

test("incron's tables become one at a time for the whole rule", () => {
  const bytes = utf8("/f IN_OPEN,IN_NO_LOOP /bin/x\n");
  const { rules } = parseIncronTable({ file: "t", bytes, cwd: "/" });
  const toml = convertToToml({ file: "t", bytes, format: "incron", gates: [], rules });
  expect(toml).toContain('order = "rule"\nwhen_busy = "skip"\n');
});

test("editors learn of every key from the schema", () => {
  const schema = JSON.stringify(tomlJsonSchema());
  for (const key of [
    "max_backoff",
    "memory_max",
    "paths0",
    "drop_oldest",
    "state_dir",
    "on_timeout",
    "gate_log",
  ])
    expect(schema).toContain(`"${key}"`);
});
