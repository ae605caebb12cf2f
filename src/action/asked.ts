/** A question of a gate on its way to its answer. */
import type { AskedQuestion } from "../gate/messages.ts";
import type { Ask, Gate, Verdict } from "../rule/gate.ts";

/** "error": the command could not be started, was killed, or is not to be run any more. */
export type Answer = Verdict | "error";

export type WhyGivenUp = "timeout" | "closed";

/** A gate whose command decides. */
export interface AskingGate extends Gate {
  readonly decision: Ask;
}

export interface Asked {
  readonly gate: AskingGate;
  readonly question: AskedQuestion;
  /** Called once; never when it has been given up. */
  readonly answer: (answer: Answer) => void;
}

export function asks(gate: Gate): gate is AskingGate {
  return gate.decision.kind === "ask";
}
