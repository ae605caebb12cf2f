/** Decisions on their way to stdout: gathered, handed over in batches, and left out when too many wait. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { GateLog, Verdict } from "../rule/gate.ts";
import { type DecidedBy, DecisionWriter } from "./decision-lines.ts";
import { type FromGate, gateCells } from "./messages.ts";
import type { Waiting } from "./pending.ts";
import type { PlannedGate } from "../rule/gate.ts";

/** Lines that may be on their way: some 100,000. */
const waitingBytesMax = 16 * 1024 * 1024;

/** So much is handed over at a time, or whatever there is before a wait. */
const batchBytes = 32 * 1024;

export interface OutboxOptions {
  readonly send: (message: FromGate, transfer?: ArrayBuffer[]) => void;
  /** As `gateCells` has them. */
  readonly cells: Int32Array;
}

export interface Told extends Waiting {
  readonly gate: PlannedGate;
  readonly verdict: Verdict;
  readonly by: DecidedBy;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #lines = new DecisionWriter();
  #log: GateLog = "none";
  #lost = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  follow(log: GateLog): void {
    this.#log = log;
  }

  tells(verdict: Verdict): boolean {
    return this.#log === "all" || (this.#log === "deny" && verdict === "deny");
  }

  tell({ gate, verdict, by, events, path, pid, actor, since }: Told): void {
    if (this.#isFull()) {
      this.#lost++;
      return;
    }
    const waitedMicroseconds = (performance.now() - since) * 1000;
    this.#lines.add({ gate, verdict, by, events, path, pid, actor, waitedMicroseconds });
    if (this.#lines.byteLength >= batchBytes) this.handOver();
  }

  /** Decisions were left out, and nobody has been told yet: that has to wait as the lines do. */
  get owesLoss(): boolean {
    return this.#lost > 0;
  }

  handOver(): void {
    const { cells, send } = this.#options;
    const { byteLength } = this.#lines;
    if (byteLength === 0 && !(this.owesLoss && !this.#isFull())) return;
    const bytes = this.#lines.take();
    Atomics.add(cells, gateCells.lineBytes, byteLength);
    const lines = { bytes, time: nowMicroseconds(), lost: this.#lost };
    this.#lost = 0;
    send({ kind: "lines", lines }, [bytes]);
  }

  #isFull(): boolean {
    return Atomics.load(this.#options.cells, gateCells.lineBytes) > waitingBytesMax;
  }
}
