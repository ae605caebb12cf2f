/** What the gates have decided, counted for the status. */
import type { PlannedGate, Verdict } from "../rule/gate.ts";
import type { DecidedBy } from "./decision-lines.ts";
import type { GateCounts } from "./messages.ts";

type Counts = { -readonly [Key in keyof GateCounts]: GateCounts[Key] };

export class Tally {
  #byName = new Map<string, Counts>();

  /** A gate of the same name goes on counting. */
  follow(gates: readonly PlannedGate[]): void {
    const before = this.#byName;
    this.#byName = new Map(gates.map(({ name }) => [name, before.get(name) ?? none(name)]));
  }

  get counts(): readonly GateCounts[] {
    return [...this.#byName.values()];
  }

  decided({ name }: PlannedGate, verdict: Verdict, by: DecidedBy): void {
    const counts = this.#byName.get(name);
    if (counts === undefined) return; // of a gate that is gone
    if (verdict === "allow") counts.allowed++;
    else counts.denied++;
    if (by === "cache") counts.cached++;
    else if (by === "timeout") counts.timedOut++;
    else if (by === "error") counts.failed++;
  }

  waits({ name }: PlannedGate, by: number): void {
    const counts = this.#byName.get(name);
    if (counts !== undefined) counts.waiting += by;
  }
}

function none(name: string): Counts {
  return { name, allowed: 0, denied: 0, cached: 0, timedOut: 0, failed: 0, waiting: 0 };
}
