/** How the runs of one rule's command relate to its events, to each other, and to failure. */
import type { Command } from "./template.ts";

export interface Policy {
  /** Commands of the rule at once; null: all the places but one, so that no rule takes them all. */
  readonly maxRunning: number | null;
  /**
   * "path": runs for one path never overlap, and come in the order of its events. "rule": that for all
   * of the rule's paths together. "none": as places get free.
   *
   * It is also what `whenBusy` and `throttleMs` are for: a path, or the rule if it is not "path".
   */
  readonly order: Order;
  /** Triggers of the rule that may wait. */
  readonly maxQueued: number;
  /** "block": no more events are read until there is room, of no rule. */
  readonly whenFull: WhenFull;
  readonly whenBusy: WhenBusy;
  /** For `whenBusy` "signal". */
  readonly busySignal: number;
  /** So long no event of a path before its run; 0: none. */
  readonly settleMs: number;
  /** So long after the first event of a path it waits no longer for that; 0: as long as it takes. */
  readonly settleMaxMs: number;
  /** One run for many events; null: one run for each. */
  readonly batch: Batch | null;
  /** At most one start in this time, the first and the last event kept; 0: none. */
  readonly throttleMs: number;
  readonly stdin: Stdin;
  /** A run gets `stopSignal` after so long; 0: never. */
  readonly timeoutMs: number;
  readonly stopSignal: number;
  /** From `stopSignal` to SIGKILL. */
  readonly killAfterMs: number;
  readonly retry: Retry | null;
  /** Run once when a run failed and is not tried again: it gets FACRON_ERROR. */
  readonly onFailure: Command | null;
  /** "stop": what the rule's own commands do does not set it off. */
  readonly loop: "stop" | "allow";
  /** Each trigger is in the journal until its run succeeded or was given up. */
  readonly durable: boolean;
}

export type Order = "path" | "rule" | "none";
export type WhenFull = "block" | "drop_oldest" | "drop_new";
export type WhenBusy = "queue" | "merge" | "skip" | "restart" | "signal";
export type Stdin = "none" | "json" | "paths0";

export interface Batch {
  /** Events. */
  readonly max: number;
  /** From the first of them. */
  readonly waitMs: number;
}

export interface Retry {
  /** After the first run. */
  readonly times: number;
  /** Before the first retry; it doubles each time, up to `maxBackoffMs`, and half of it is drawn by lot. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Absent: any failure. */
  readonly on?: readonly FailureKind[];
}

/** An exit status, or what else can happen. */
export type FailureKind = number | "signal" | "timeout" | "not-started";

/** What the kernel gives a command, besides its user. */
export interface Surroundings {
  /** Absolute; absent: facron's own. */
  readonly cwd?: string;
  /** On top of what it has else: names without "=", none of them an event variable. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Nothing of facron's environment. With a user, `RunAs` says so. */
  readonly clearsEnvironment?: boolean;
  /** A name, or a gid in decimal: the primary group, in place of the user's. */
  readonly group?: string;
  readonly umask?: number;
  /** -20 to 19, whatever facron's own is (setpriority(2)). */
  readonly nice?: number;
  /** setsid(2); else only a process group of its own. */
  readonly session?: boolean;
  /** A cgroup of its own. */
  readonly cgroup?: CgroupLimits;
  /** Absent: "inherit", which is where facron's log goes. */
  readonly output?: Output;
}

export interface CgroupLimits {
  /** Bytes. */
  readonly memoryMax?: number;
  readonly pidsMax?: number;
}

export type Output =
  | { readonly kind: "log" }
  | { readonly kind: "inherit" }
  | { readonly kind: "null" }
  /** Absolute; appended to. */
  | { readonly kind: "file"; readonly path: string };

const SIGHUP = 1;
const SIGTERM = 15;

/** What holds of a rule that says nothing, in every dialect. */
export const defaultPolicy: Policy = {
  maxRunning: null,
  order: "path",
  maxQueued: 1_000_000,
  whenFull: "block",
  whenBusy: "queue",
  busySignal: SIGHUP,
  settleMs: 0,
  settleMaxMs: 0,
  batch: null,
  throttleMs: 0,
  stdin: "none",
  timeoutMs: 0,
  stopSignal: SIGTERM,
  killAfterMs: 5_000,
  retry: null,
  onFailure: null,
  loop: "stop",
  durable: false,
};
