/** What the reader needs of gates: plain data. */
import type { MessagePort } from "node:worker_threads";
import type { Gate, GateScope } from "../rule/gate.ts";

/** Where the kernel is to hold what gates decide about: the reader keeps the marks of the group. */
export interface PlannedGates {
  /** Stays open until the next plan is in force. In a group that is new all marks are made anew. */
  readonly groupFd: number;
  /** Carries `FromReaderToGate`. Absent: as in the plans before. To be transferred. */
  readonly rootsPort?: MessagePort;
  /** `GatePlan.generation` */
  readonly generation: number;
  /** `gateCells` */
  readonly shared: SharedArrayBuffer;
  /** Written after each message to the gate thread. */
  readonly wakeFd: number;
  readonly list: readonly PlannedGateWatch[];
}

export type PlannedGateWatch = Pick<
  Gate,
  "name" | "watch" | "scope" | "events" | "children" | "directories"
>;

export interface GatesOfPlan extends Omit<PlannedGates, "list"> {
  readonly gates: readonly Gate[];
}

export function plannedGates({ gates, ...rest }: GatesOfPlan): PlannedGates {
  const list = gates.map(({ name, watch, scope = "tree", events, children, directories }) => {
    return { name, watch, scope, events, children, directories };
  });
  return { ...rest, list };
}

/** What claims paths for a gate, in the place of a rule: it hears of nothing. */
export interface GateMarks {
  /** Of the gate, in `PlannedGates.list`. */
  readonly index: number;
  readonly scope: GateScope;
  /** What the kernel has to hold, in its own bits. */
  readonly mask: number;
}
