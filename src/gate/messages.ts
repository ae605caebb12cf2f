/** What crosses between the gate thread and the others: plain data only, copied or transferred. */
import type { MessagePort } from "node:worker_threads";
import type { OthersLines } from "../output/json-lines.ts";
import type { GateLog, PlannedGate, Verdict } from "../rule/gate.ts";

/** Handed to the gate thread when it starts. */
export interface GateStart {
  /** The permission group: read here, and nowhere else but by the guard. */
  readonly groupFd: number;
  /** An eventfd: written after each message. */
  readonly wakeFd: number;
  /** Of `openPulseMemory`. */
  readonly pulseFd: number;
  /** Int32 cells that the threads share; `gateCells` says which. */
  readonly shared: SharedArrayBuffer;
  readonly plan: GatePlan;
}

export interface GateThreadData {
  readonly start: GateStart;
  /** Carries `ToGate`. */
  readonly port: MessagePort;
  /** Carries `FromReaderToGate`. */
  readonly rootsPort: MessagePort;
}

/** Indices into `GateStart.shared`. */
export const gateCells = {
  /** Raised with each message: looked at between two reads. */
  messages: 0,
  /** 1 while commands, or what they left behind, may do something. */
  commandsAct: 1,
  /** The socket that tells of processes, plus 1; 0 if there is none. */
  processEventsFd: 2,
  /** Processes of commands that run. */
  familyMembers: 3,
  /** Bytes of lines on their way to stdout. */
  lineBytes: 4,
} as const;

export const gateSharedBytes = 64;

/** The gates of one configuration. Those from before decide until all roots of this one are known. */
export interface GatePlan {
  readonly generation: number;
  readonly gates: readonly PlannedGate[];
  readonly log: GateLog;
  /** Everything is let through, and what would be decided is written out. */
  readonly dryRun: boolean;
}

export type ToGate =
  | { readonly kind: "plan"; readonly plan: GatePlan }
  /** The reader has said all roots of that plan: it decides from now on. */
  | { readonly kind: "in-force"; readonly generation: number }
  /** The answer to an "ask": "error" if the command could not be started, or was killed. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: Verdict | "error" }
  /** Answer "counted". */
  | { readonly kind: "count" }
  /** Let all through, answer "closed", and end. */
  | { readonly kind: "close" };

/** Where the gates of a plan are now, said by the reader before the kernel holds anything there. */
export type FromReaderToGate =
  | { readonly kind: "root"; readonly root: GateRoot }
  | { readonly kind: "root-gone"; readonly generation: number; readonly key: string };

export interface GateRoot {
  readonly generation: number;
  /** The path as configured (one char for one byte): says which root is meant when it goes. */
  readonly key: string;
  /** Where it really is: without symbolic links, as the kernel names what is opened there. */
  readonly path: Uint8Array;
  /** As `FileStatus.inode`: a file may be opened by another name of it. */
  readonly inode: string;
  readonly isDirectory: boolean;
  readonly claims: readonly GateClaim[];
}

/** A gate that names a root. */
export interface GateClaim {
  /** Its index in the plan. */
  readonly gate: number;
  readonly recursive: boolean;
  readonly skipsHidden: boolean;
  /** Only what has such a name in it: the last component of a pattern, as it is written. */
  readonly names: Uint8Array | null;
}

export type FromGate =
  /** It reads and answers from now on. */
  | { readonly kind: "ready" }
  | { readonly kind: "ask"; readonly question: AskedQuestion }
  /** Nobody waits for that answer any more. */
  | { readonly kind: "give-up"; readonly id: number; readonly why: "timeout" | "closed" }
  | { readonly kind: "lines"; readonly lines: OthersLines }
  | { readonly kind: "log"; readonly level: "info" | "warn" | "error"; readonly text: string }
  | { readonly kind: "counted"; readonly status: readonly GateCounts[] }
  | { readonly kind: "closed" };

/** What a command is to decide. */
export interface AskedQuestion {
  readonly id: number;
  readonly generation: number;
  /** Index of the gate in that plan. */
  readonly gate: number;
  /** `gateBits` */
  readonly events: number;
  readonly path: Uint8Array;
  readonly isDirectory: boolean;
  /** 0: not known. */
  readonly pid: number;
  readonly comm: Uint8Array | null;
  readonly exe: Uint8Array | null;
  readonly uid: number | null;
  /** Of `pre_access`: which part; null else. Bytes. */
  readonly range: { readonly offset: number; readonly count: number } | null;
}

/** Of one gate, since it is there. */
export interface GateCounts {
  readonly name: string;
  readonly allowed: number;
  readonly denied: number;
  /** Of both, those by an answer that was known already. */
  readonly cached: number;
  /** Of both, those that got `on_timeout` and `on_error`. */
  readonly timedOut: number;
  readonly failed: number;
  readonly waiting: number;
}
