/** What the daemon is given, and how it ends. */
import type { ConfigProblem } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Gate, GateLog } from "../rule/gate.ts";
import type { Rule } from "../rule/rule.ts";
import type { JournalSource } from "./durable.ts";
import type { ShowStatus } from "./progress.ts";
import type { Signals } from "./signals.ts";

/** What a configuration file, or a command line, comes to. */
export interface Loaded {
  readonly rules: readonly Rule[];
  /** In the order in which they decide. */
  readonly gates?: readonly Gate[];
  readonly warnings: readonly ConfigProblem[];
  /** What they came from. */
  readonly files?: readonly { readonly file: string }[];
  readonly settings?: {
    readonly maxRunning?: number;
    readonly runtimeDir?: string;
    readonly stateDir?: string;
    readonly gateLog?: GateLog;
  };
  /** Absolute paths and patterns; when one of them changes, the rules may. */
  readonly dependsOn?: readonly string[];
  /** Errors of files without which the others go on. */
  readonly leftOut?: readonly ConfigProblem[];
}

/** Commands at once, unless it is said otherwise: enough to be busy, too few to drown a server. */
export const defaultMaxRunning = 16;

export interface DaemonOptions {
  /** Called at the start and at each reload. @throws {ConfigError} */
  readonly load: () => Loaded;
  /** One path that cannot be watched ends the program: for `watch`, whose user stands beside it. */
  readonly everyPathMustWork: boolean;
  /** What the command line says; null: what the configuration says. */
  readonly maxRunning: number | null;
  /** Which decisions of gates are written out, as the command line says; absent: as the configuration says. */
  readonly gateLog?: GateLog;
  /** Everything but the commands, which are only logged. */
  readonly dryRun?: boolean;
  /** Reload when a file of the configuration changes. */
  readonly watchesConfiguration?: boolean;
  readonly version: string;
  /** How facron starts itself. */
  readonly self: readonly string[];
  readonly log: Log;
  /** Absent: nobody sits at a terminal. */
  readonly showStatus?: ShowStatus;
  /** Where relative programs start; a daemon's own working directory is "/". */
  readonly cwd: string;
  readonly readerUrl: URL;
  /** Absent: no rule can be durable. */
  readonly journal?: JournalSource;
  /** The output thread's file. */
  readonly outputUrl: URL;
  /** The gate thread's file. */
  readonly gateUrl: URL;
  readonly signals: Signals;
  /** Every watch is set. */
  readonly onReady: () => void;
}

/** How the daemon ended. */
export interface DaemonEnd {
  /** False: something failed while it ran. */
  readonly isClean: boolean;
  /** A signal that has to be raised again, so that the shell sees what ended us. */
  readonly signal: "SIGINT" | null;
}
