/** A gate: what is decided before a file is opened, read or executed. The kernel holds the process until then. */
import type { ActorWish, WrittenActorWish } from "./actor.ts";
import type { Filter } from "./filter.ts";
import type { Surroundings } from "./policy.ts";
import type { RunAs, WatchPath } from "./rule.ts";
import type { Command } from "./template.ts";

/** What can be decided. The bits are ours. */
export const gateBits = {
  open_perm: 0x1,
  access_perm: 0x2,
  /** Linux 5.0. The same open is an `open_perm` too. */
  open_exec_perm: 0x4,
  /** Before a part of a file is read or written: Linux 6.14, for groups that fill files. */
  pre_access: 0x8,
} as const;

export type GateEventName = keyof typeof gateBits;

export const gateEventNames = Object.keys(gateBits) as GateEventName[];

/** The names of the bits, in the table's order. */
export function gateNamesOf(events: number): GateEventName[] {
  return gateEventNames.filter((name) => (events & gateBits[name]) !== 0);
}

export type Verdict = "allow" | "deny";

/**
 * What the kernel is asked to hold: the directories of the tree, each by a mark of its own, or whatever is
 * opened by way of the mount, or of the filesystem, that the path is on; there too only what is below the
 * path is decided.
 */
export type GateScope = "tree" | "mount" | "filesystem";

export interface Gate {
  /** Unique among gates and rules; lines and the log carry it. */
  readonly name: string;
  readonly watch: readonly WatchPath[];
  /** Absent: "tree". */
  readonly scope?: GateScope;
  /** `gateBits`: any of them. */
  readonly events: number;
  /** What is in a watched directory counts (FAN_EVENT_ON_CHILD). TOML: always. */
  readonly children: boolean;
  /** Directories count (FAN_ONDIR). TOML: only if `type` names them. */
  readonly directories: boolean;
  /** Without `ignoreFiles`: the gate thread may open nothing. */
  readonly filter?: Filter;
  readonly actor?: WrittenActorWish;
  readonly decision: Decision;
  /** The kernel's audit log gets each verdict (FAN_AUDIT). */
  readonly audit?: boolean;
  /** What a process that is denied gets in place of EPERM (FAN_DENY_ERRNO, Linux 6.14): `denyErrnos`. */
  readonly errno?: number;
}

/** First match in the order of the file decides. */
export type Decision = { readonly kind: Verdict } | Ask;

/** A command decides: exit status 0 allows, any other denies. */
export interface Ask {
  readonly kind: "ask";
  readonly command: Command;
  /** From the question to the verdict. */
  readonly timeoutMs: number;
  readonly onTimeout: Verdict;
  /** It could not be started, was killed, or too many wait. */
  readonly onError: Verdict;
  /** How long the answer holds for the same file, unchanged, and the same program; 0: for who waits now. */
  readonly cacheMs: number;
  /** Commands of the gate at once. */
  readonly maxRunning: number;
  readonly runAs?: RunAs;
  readonly surroundings?: Surroundings;
}

/** What holds of a gate that says nothing, in every dialect. */
export const defaultAsk = {
  timeoutMs: 2_000,
  onTimeout: "allow",
  onError: "allow",
  cacheMs: 600_000,
  maxRunning: 8,
} as const satisfies Partial<Ask>;

/**
 * Those that the kernel takes with FAN_DENY (process_access_response in Linux 6.14 to 6.18), for each of the
 * events; EINVAL for any other. EPERM is what there is without.
 */
export const denyErrnos = {
  EPERM: 1,
  EIO: 5,
  EAGAIN: 11,
  EBUSY: 16,
  ETXTBSY: 26,
  ENOSPC: 28,
  EDQUOT: 122,
} as const;

/** Which decisions are written out. */
export type GateLog = "all" | "deny" | "none";

export const gateLogs = ["all", "deny", "none"] as const satisfies readonly GateLog[];

export const defaultGateLog: GateLog = "deny";

/** A gate as the gate thread needs it: plain data. */
export interface PlannedGate {
  readonly name: string;
  readonly scope: GateScope;
  readonly events: number;
  readonly children: boolean;
  readonly directories: boolean;
  readonly filter?: Filter;
  readonly actor?: ActorWish;
  readonly decision: { readonly kind: Verdict } | PlannedAsk;
  readonly audit: boolean;
  /** 0: EPERM, as the kernel has it. */
  readonly errno: number;
}

export interface PlannedAsk extends Pick<
  Ask,
  "kind" | "timeoutMs" | "onTimeout" | "onError" | "cacheMs"
> {
  /** What the command is told of who asks, besides the program: an answer is for those of whom it is the same. */
  readonly told: readonly ToldOfAsker[];
}

/** What a command can have in its words of who asks, besides the program. */
export type ToldOfAsker = "pid" | "comm" | "uid";

export const toldOfAsker = ["pid", "comm", "uid"] as const satisfies readonly ToldOfAsker[];

/** Whether a group of the class FAN_CLASS_PRE_CONTENT is needed. */
export function needsPreContent({ events, errno = 0 }: Gate): boolean {
  return errno !== 0 || (events & gateBits.pre_access) !== 0;
}
