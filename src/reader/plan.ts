/** What crosses the two threads: plain data only, copied or transferred. */
import type { MessagePort } from "node:worker_threads";
import type { OthersLines } from "../output/json-lines.ts";
import { type ActorWish, resolved } from "../rule/actor.ts";
import type { Filter } from "../rule/filter.ts";
import { permissionMask } from "../watch/permission-marks.ts";
import { type GateMarks, type GatesOfPlan, type PlannedGates, plannedGates } from "./gate-plan.ts";
import type {
  Alternative,
  BackendChoice,
  BackendName,
  Rule,
  Scope,
  WatchPath,
} from "../rule/rule.ts";

/** The whole compiled rule set, as the reader needs it. */
export interface Plan {
  /** Counts reloads; triggers say by it which rules their indices mean. */
  readonly generation: number;
  readonly rules: readonly PlannedRule[];
  /** At the start, or for `watch`: a path that cannot be watched is an error and not a warning. */
  readonly everyPathMustWork: boolean;
  /** The main thread wants to know up to which moment all is read: `FromReader` "read-until". */
  readonly tellsReadUntil?: boolean;
  /** Absent: nothing is held. */
  readonly gates?: PlannedGates;
  /** For the first plan only. */
  readonly catchUp?: CatchUpPlan;
}

/** Files that have changed since are told as synthetic events: they changed while facron was down. */
export interface CatchUpPlan {
  /** Microseconds since 1970, in the time of files. */
  readonly since: number;
  /** For which rules. */
  readonly rules: readonly number[];
}

export interface PlannedRule {
  readonly name: string;
  readonly watch: readonly WatchPath[];
  readonly backend: BackendChoice;
  readonly pollIntervalMs?: number;
  readonly scope?: Scope;
  readonly condition: readonly Alternative[];
  /** Whether its triggers are wanted by the main thread. */
  readonly runs: boolean;
  readonly once?: boolean;
  readonly filter?: Filter;
  readonly actor?: ActorWish;
  /** Absent: it is a rule. */
  readonly gate?: GateMarks;
}

/** All that claims paths: the rules, and behind them the gates. */
export function claimantsOf({ rules, gates }: Plan): readonly PlannedRule[] {
  if (gates === undefined) return rules;
  const ofGates = gates.list.map((one, index): PlannedRule => {
    const { name, watch, scope = "tree" } = one;
    const gate = { index, scope, mask: permissionMask(one) };
    return { name, watch, backend: "auto", condition: [], runs: false, gate };
  });
  return [...rules, ...ofGates];
}

export interface PlanOptions {
  readonly gates?: GatesOfPlan;
  readonly generation: number;
  readonly everyPathMustWork: boolean;
  /** Of the users that rules name; null if there is no such user. */
  readonly uidOf: (user: string) => number | null;
}

/** Whether some rule asks who did it. */
export function asksForActors({ rules }: Plan): boolean {
  return rules.some(({ actor }) => actor !== undefined);
}

export function planOf(
  rules: readonly Rule[],
  { generation, everyPathMustWork, uidOf, gates }: PlanOptions,
): Plan {
  const planned = rules.map((rule): PlannedRule => {
    const { name, watch, backend, condition, command, once = false } = rule;
    const { filter, pollIntervalMs, scope, actor } = rule;
    const rest = {
      ...(filter === undefined ? {} : { filter }),
      ...(pollIntervalMs === undefined ? {} : { pollIntervalMs }),
      ...(scope === undefined ? {} : { scope }),
      ...(actor === undefined ? {} : { actor: resolved(actor, uidOf) }),
    };
    return { name, watch, backend, condition, runs: command !== null, once, ...rest };
  });
  const ofGates = gates && { gates: plannedGates(gates) };
  return { generation, rules: planned, everyPathMustWork, ...ofGates };
}

/** Handed to the reader when it starts. */
export interface ReaderStart {
  /** An eventfd: written after each message to the reader, and when it waits for room. */
  readonly wakeFd: number;
  /** Int32 counters that both threads share; `sharedCounters` says which, and behind them `Lookout`. */
  readonly shared: SharedArrayBuffer;
  /** Bytes of JSON lines that may wait for a slow reader of stdout. */
  readonly backlogBytesMax: number;
  /** Triggers that may wait in the main thread before the reader stops reading. */
  readonly triggersWaitingMax: number;
}

/** The Worker's data: `port` carries `ToReader`, and is looked into when `wakeFd` says so. */
export interface ReaderThreadData {
  readonly start: ReaderStart;
  readonly port: MessagePort;
}

/** Indices into `ReaderStart.shared`. */
export const sharedCounters = {
  /** Triggers handed over and not yet started. */
  triggersWaiting: 0,
  /** 1 while the reader waits for that number to fall. */
  readerWaits: 1,
  /** Kernel marks and watches held, as of the last slice of a walk. */
  marks: 2,
  /** 1 while commands, or what they left behind, may do something. */
  commandsAct: 3,
  /** The socket that tells of processes, plus 1; 0 if there is none. */
  processEventsFd: 4,
  /** Processes of commands that run, as of the last look at that socket. */
  familyMembers: 5,
  /** Of the process that looks after the gates; 0 if there is none. */
  guardPid: 6,
} as const;

export type ToReader =
  | { readonly kind: "plan"; readonly plan: Plan }
  /** Say when one of these names comes, goes or is written. */
  | { readonly kind: "configuration"; readonly names: readonly ConfigurationName[] }
  /** Read what is queued now, hand over its triggers, flush stdout until the deadline, answer "drained". */
  | { readonly kind: "drain"; readonly flushMs: number }
  /** When what is queued now has been read, and its triggers are handed over: answer "read". */
  | { readonly kind: "read-up" }
  /** Answer "counted". */
  | { readonly kind: "count" }
  /** The group of the gates is about to be closed: touch it no more, answer "left-gates". */
  | { readonly kind: "leave-gates" }
  /** Write these out; answer "wrote". */
  | { readonly kind: "lines"; readonly lines: OthersLines };

export type FromReader =
  | { readonly kind: "planned"; readonly generation: number; readonly report: WatchReport }
  | {
      readonly kind: "triggers";
      readonly generation: number;
      readonly count: number;
      readonly buffer: ArrayBuffer;
    }
  | { readonly kind: "log"; readonly level: "info" | "warn" | "error"; readonly text: string }
  | { readonly kind: "configuration-changed" }
  /**
   * No record is missing of what happened before: its triggers were sent before this. Sent now and then,
   * if the plan asks for it.
   *
   * @param microseconds since 1970, in the time of files
   */
  | { readonly kind: "read-until"; readonly microseconds: number }
  /** @param seq of the last line until then */
  | { readonly kind: "read"; readonly seq: number }
  | { readonly kind: "counted"; readonly status: ReaderStatus }
  | { readonly kind: "left-gates" }
  /** Lines of others were taken, of so many bytes. */
  | { readonly kind: "wrote"; readonly bytes: number }
  /** The plan asked for every path and one failed. */
  | { readonly kind: "cannot-watch"; readonly text: string }
  /** Draining: no more triggers come, only stdout is still being flushed. */
  | { readonly kind: "all-read" }
  /** Nobody reads stdout any more. */
  | { readonly kind: "stdout-gone" }
  /** @param linesLost lines that a slow reader of stdout did not take before the deadline */
  | { readonly kind: "drained"; readonly linesLost: number };

/** A name on which the rules depend. */
export interface ConfigurationName {
  /** Absolute. */
  readonly directory: string;
  /** Null: any name in it. */
  readonly name: string | null;
}

/** What the reader has done until now. */
export interface ReaderStatus {
  readonly report: WatchReport;
  /** What the kernel has told, and how often it has dropped something, by backend. */
  readonly counts: Readonly<
    Record<BackendName, { readonly records: number; readonly overflows: number }>
  >;
  /** How often rules without a command were met, by their names. */
  readonly tallies: readonly (readonly [string, number])[];
  /** It reads nothing for now, as what follows from it has nowhere to go. */
  readonly isHeldBack: boolean;
}

/** What is watched now. */
export interface WatchReport {
  readonly rules: number;
  /** Paths of rules that are watched, by backend. */
  readonly watched: Readonly<Record<BackendName, number>>;
  /** Paths of rules that are polled, and the files and directories in them. */
  readonly polled: { readonly paths: number; readonly entries: number };
  /** Kernel marks or watches held, by backend. */
  readonly marks: Readonly<Record<BackendName, number>>;
  /** Paths that could not be watched; each was logged. */
  readonly failed: number;
  /** Paths and directories below paths that a limit of the kernel keeps from being watched. */
  readonly unwatched: number;
  /** Paths and patterns that nothing is at yet; each was logged. */
  readonly waiting: number;
  /** Paths of gates that the kernel holds something at, and its marks for that. */
  readonly gated: { readonly paths: number; readonly marks: number };
}
