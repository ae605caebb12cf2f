/** How a command ended, and how the log says it. */
import { sizeText } from "../rule/size.ts";

export type Ending =
  | { readonly kind: "exited"; readonly code: number; readonly limit?: LimitHit }
  /** `signal` is "SIGKILL", or "signal 34" for one without a name. */
  | { readonly kind: "killed"; readonly signal: string; readonly limit?: LimitHit }
  /** The helper could not become the command, or was not to. */
  | { readonly kind: "not-started"; readonly error: Error }
  /** waitpid(2) failed: the status is lost. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A limit of the command's cgroup, about which the kernel did something. */
export interface LimitHit {
  readonly key: "memory_max" | "pids_max";
  readonly max: number;
}

/** As it follows the name of the program: "exited 0", "was killed by SIGKILL". */
export function endingText(ending: Ending): string {
  switch (ending.kind) {
    case "exited":
      return `exited ${ending.code}${limitText(ending.limit)}`;
    case "killed":
      if (ending.signal === "SIGKILL" && ending.limit?.key === "memory_max")
        return `was killed: it used more than memory_max (${sizeText(ending.limit.max)})`;
      return `was killed by ${ending.signal}${limitText(ending.limit)}`;
    case "not-started":
      return "was not started";
    case "unknown":
      return `ended, its status is not known (${ending.reason})`;
  }
}

/** The command itself has lived on: the limit met what it started. */
function limitText(limit: LimitHit | undefined): string {
  if (limit === undefined) return "";
  return limit.key === "memory_max"
    ? ` (what it started was killed: it used more than memory_max, ${sizeText(limit.max)})`
    : ` (it wanted more processes than pids_max, ${limit.max})`;
}
