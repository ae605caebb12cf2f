/** A configuration's text on its way into a dialect, and what a dialect makes of it. */
import type { ConfigProblem } from "../errors.ts";
import type { Gate, GateLog } from "../rule/gate.ts";
import type { Rule } from "../rule/rule.ts";
import type { Span } from "./span.ts";
import type { GivenActions } from "./toml-given.ts";

export interface Source {
  /** As the user gave it: problems name it, and rules are named after it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Absolute; relative paths in the text start here. */
  readonly cwd: string;
  /** Takes what is odd but does not stop anything. */
  readonly warn?: (warning: ConfigProblem) => void;
  /** What the file that includes this one says of all rules; only TOML takes it up. */
  readonly defaults?: GivenActions;
}

/** A rule and where it is written: what is found out about it later is said at that place. */
export interface PlacedRule {
  readonly rule: Rule;
  readonly places: RulePlaces;
  /** By its user, and not after its place. */
  readonly isNamed: boolean;
}

export interface RulePlaces {
  /** The rule as a whole: its path in a table, the head of its section in TOML. */
  readonly head: Span;
  readonly name: Span | null;
  /** One for each of `rule.watch`. */
  readonly watch: readonly Span[];
  /** The events. */
  readonly on: Span;
  /** The program, if there is a command. */
  readonly program: Span | null;
  readonly user: Span | null;
  /** The program for failures, if the rule itself names it. */
  readonly onFailure?: Span | null;
  readonly cwd?: Span | null;
  readonly output?: Span | null;
  /** Only TOML has it. */
  readonly actor?: Span | null;
}

/** The same of a gate. */
export interface PlacedGate {
  readonly gate: Gate;
  readonly places: GatePlaces;
  readonly isNamed: boolean;
}

/** As `RulePlaces`. */
export interface GatePlaces extends Pick<
  RulePlaces,
  "head" | "name" | "watch" | "on" | "program" | "user" | "cwd" | "actor"
> {
  /** Only TOML has it. */
  readonly scope?: Span | null;
}

/** More files that a source asks for. */
export interface Include {
  /** A path or glob; relative to the directory of the source. */
  readonly pattern: string;
  readonly span: Span;
}

/** What `[facron]` says; the command line goes before it. */
export interface Settings {
  /** Commands at once, over all rules. */
  readonly maxRunning?: number;
  /** Where durable rules keep their events: absolute; absent: `defaultStateDir`. */
  readonly stateDir?: string;
  /** Where the socket for status is: absolute. */
  readonly runtimeDir?: string;
  /** Which decisions of gates are written out; absent: `defaultGateLog`. */
  readonly gateLog?: GateLog;
}

export const defaultStateDir = "/var/lib/facron";

export interface Parsed {
  readonly rules: readonly PlacedRule[];
  readonly gates: readonly PlacedGate[];
  readonly includes: readonly Include[];
  readonly settings: Settings;
  /** For what it includes. */
  readonly defaults?: GivenActions;
}

/** The dialects. */
export type FormatName = "toml" | "incron" | "facron";

/** A file that was read, with what it came to. */
export interface LoadedFile {
  /** As the user gave it, or as the including file leads to it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly format: FormatName;
  readonly rules: readonly PlacedRule[];
  readonly gates: readonly PlacedGate[];
}
