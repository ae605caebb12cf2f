/** Up to which moment all that happened was read and told: after a restart only what is newer is looked for. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { CatchUp } from "../watch/catch-up.ts";
import { tickMicroseconds } from "../watch/loss-clock.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import type { Plan } from "./plan.ts";
import type { ReaderPort } from "./port.ts";
import type { Recoveries } from "./recoveries.ts";
import type { Tables } from "./tables.ts";

/** How long after triggers, and after records that were none, it is told. An idle reader is not woken. */
const afterTriggersMs = 250;
const afterRecordsMs = 10_000;

export interface ReadUntilOptions {
  readonly port: ReaderPort;
  readonly tables: Pick<Tables, "list" | "isWalking">;
  readonly catchUp: Pick<CatchUp, "openLooks">;
  readonly recoveries: Pick<Recoveries, "isActive">;
}

export class ReadUntil {
  readonly #options: ReadUntilOptions;
  #isWanted = false;
  /** Sum of the queues' positions when it was told. */
  #position = 0;
  /** performance.now(); Infinity: nothing has happened since. */
  #dueAt = Infinity;

  constructor(options: ReadUntilOptions) {
    this.#options = options;
  }

  /** As this plan wants it. */
  follow({ tellsReadUntil = false }: Plan): void {
    this.#isWanted = tellsReadUntil;
    this.#dueAt = tellsReadUntil ? performance.now() : Infinity;
  }

  /** How long poll(2) may wait; -1: as long as it likes. */
  get timeoutMs(): number {
    return this.#dueAt === Infinity ? -1 : Math.max(Math.ceil(this.#dueAt - performance.now()), 0);
  }

  /** After a round of the loop: all that follows from it is handed over. */
  afterRound({ hasTriggers }: { readonly hasTriggers: boolean }): void {
    if (!this.#isWanted) return;
    const now = performance.now();
    if (hasTriggers) this.#dueAt = Math.min(this.#dueAt, now + afterTriggersMs);
    else if (this.#dueAt === Infinity && this.#positionNow() !== this.#position)
      this.#dueAt = now + afterRecordsMs;
    if (now >= this.#dueAt) this.tell();
  }

  /** Now, if nothing is being looked for; else a little later. */
  tell(): void {
    if (!this.#isWanted) return;
    const { port, tables, catchUp, recoveries } = this.#options;
    const isUnderWay = tables.isWalking || catchUp.openLooks > 0 || recoveries.isActive;
    if (isUnderWay || tables.list.some(({ isUnsettled }) => isUnsettled)) {
      this.#dueAt = performance.now() + afterTriggersMs;
      return;
    }
    const now = nowMicroseconds(); // before the queues are asked
    const microseconds = Math.min(...tables.list.map((table) => readUntil(table, now)), now);
    this.#position = this.#positionNow();
    this.#dueAt = Infinity;
    port.send({ kind: "read-until", microseconds });
  }

  #positionNow(): number {
    return this.#options.tables.list.reduce((sum, { backend }) => sum + backend.position, 0);
  }
}

function readUntil({ backend, lossClock }: WatchTable, now: number): number {
  const isEmpty = backend.end <= backend.position;
  return isEmpty ? now - tickMicroseconds : lossClock.intactUntil(now);
}
