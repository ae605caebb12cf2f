/** Gates as the gate thread gets them, for tests that have no kernel. */
import type { GatePlan } from "../../src/gate/messages.ts";
import { gateBits, type PlannedGate } from "../../src/rule/gate.ts";

/** Denies each open_perm, unless it is said otherwise. */
export function gate(some: Partial<PlannedGate> = {}): PlannedGate {
  return {
    ...{ name: "a gate", scope: "tree", events: gateBits.open_perm, children: true },
    ...{ directories: false, decision: { kind: "deny" }, audit: false, errno: 0 },
    ...some,
  };
}

export function planOf(gates: readonly PlannedGate[], some: Partial<GatePlan> = {}): GatePlan {
  return { generation: 1, gates, log: "all", dryRun: false, ...some };
}
