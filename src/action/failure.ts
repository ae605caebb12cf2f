/** What counts as a failure, whether it is tried again, and when. */
import type { FailureKind, Retry } from "../rule/policy.ts";
import { AccessDenied } from "./denials.ts";
import { type Ending, endingText } from "./ending.ts";

/** Why facron itself ended a run. */
export type StopReason =
  | "timeout"
  | "restart"
  /** Nobody waits for its answer any more. */
  | "given-up";

export interface Failed {
  readonly kind: FailureKind;
  /** As it follows "the command": "exited 3", "was killed by SIGKILL". */
  readonly text: string;
}

/** @param stopped why it was told to end; null: it was not */
export function failureOf(ending: Ending, stopped: StopReason | null): Failed | null {
  if (stopped === "timeout") return { kind: "timeout", text: "ran longer than its timeout" };
  if (stopped === "restart") return null; // what comes next stands for it
  switch (ending.kind) {
    case "exited":
      return ending.code === 0 ? null : { kind: ending.code, text: endingText(ending) };
    case "killed":
      return { kind: "signal", text: endingText(ending) };
    case "not-started":
      // What the user may not see is no failure: the rule is to be passed over there.
      if (ending.error instanceof AccessDenied) return null;
      return { kind: "not-started", text: ending.error.message };
    case "unknown":
      return null; // nobody can tell: it is not done twice for that
  }
}

/** @param attempts runs so far */
export function isTriedAgain(retry: Retry, { kind }: Failed, attempts: number): boolean {
  if (attempts > retry.times) return false;
  return retry.on === undefined || retry.on.includes(kind);
}

/**
 * How long before the next run: it doubles each time. Half of it is drawn by lot, so that what failed
 * together, as a server was away, does not come back together.
 *
 * @param attempts runs so far, at least one
 * @param random in [0, 1)
 * @returns milliseconds
 */
export function backoffOf(retry: Retry, attempts: number, random: number): number {
  const full = Math.min(retry.backoffMs * 2 ** (attempts - 1), retry.maxBackoffMs);
  return Math.round((full / 2) * (1 + random));
}
