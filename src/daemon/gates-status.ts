/** What the status says of gates. */
import type { AskStatus } from "../action/ask-stats.ts";
import type { GateCounts } from "../gate/messages.ts";
import type { GateInStatus, GatesInStatus } from "./status-document.ts";

/** As of one moment. */
export interface GatesStatus {
  /** The gate thread has answered just now; else what it has counted is of before. */
  readonly answers: boolean;
  readonly counts: readonly GateCounts[];
  /** When it counted; null: it has not yet. */
  readonly at: Date | null;
  /** Questions that the guard has answered in its place. */
  readonly passedOver: number;
  /** By the names of gates that ask: their commands. */
  readonly asks: ReadonlyMap<string, AskStatus>;
}

export function gatesInStatus({
  answers,
  counts,
  at,
  passedOver,
  asks,
}: GatesStatus): GatesInStatus {
  return {
    state: answers ? "deciding" : "no answer",
    as_of: at?.toISOString() ?? null,
    passed_over: passedOver,
    list: counts.map((one) => gateInStatus(one, asks.get(one.name))),
  };
}

function gateInStatus(
  { timedOut, ...counts }: GateCounts,
  asked: AskStatus | undefined,
): GateInStatus {
  return {
    ...{ ...counts, timed_out: timedOut },
    ...{ runs: asked?.runs ?? 0, running: asked?.running ?? 0 },
    ran_ms: asked?.ranMs ?? { p50: null, p99: null },
  };
}
