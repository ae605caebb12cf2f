/** The gates of one plan, and where they are: which of them decides about a file, and how. */
import { responseOf } from "../../ffi/fanotify/permission.ts";
import type { PlannedGate, Verdict } from "../rule/gate.ts";
import { GateMatcher, type Question } from "../rule/gate-matcher.ts";
import type { GatePlan, GateRoot } from "./messages.ts";

interface Responses {
  readonly allow: number;
  readonly deny: number;
}

const plainAllow = responseOf(true);

export class Court {
  readonly plan: GatePlan;
  readonly #matcher: GateMatcher;
  readonly #responses = new Map<PlannedGate, Responses>();

  constructor(plan: GatePlan) {
    this.plan = plan;
    this.#matcher = new GateMatcher(plan.gates);
    for (const gate of plan.gates) this.#responses.set(gate, responsesOf(gate));
  }

  /** @param index into `plan.gates` of the first that is about the file; -1: none is */
  indexFor(path: Uint8Array, length: number, question: Question): number {
    return this.#matcher.match(path, length, question);
  }

  /** What the kernel is told. */
  responseFor(gate: PlannedGate, verdict: Verdict): number {
    const { allow, deny } = this.#responses.get(gate)!;
    return verdict === "allow" || this.plan.dryRun ? allow : deny;
  }

  setRoot({ key, ...root }: GateRoot): void {
    this.#matcher.setRoot(key, root);
  }

  removeRoot(key: string): void {
    this.#matcher.removeRoot(key);
  }
}

function responsesOf({ audit, errno }: PlannedGate): Responses {
  if (!audit && errno === 0) return { allow: plainAllow, deny: responseOf(false) };
  return { allow: responseOf(true, { audit }), deny: responseOf(false, { audit, errno }) };
}
