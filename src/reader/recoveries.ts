/** The recoveries from lost records, one for each table. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { Log } from "../log.ts";
import type { CatchUp } from "../watch/catch-up.ts";
import { gatesOverflowText, overflowText } from "../watch/explain.ts";
import { Recovery } from "../watch/recovery.ts";
import type { CatchUpPlan } from "./plan.ts";
import type { Node } from "../watch/tree.ts";
import type { Listing } from "../watch/walk.ts";
import type { WatchTable } from "../watch/watch-table.ts";

const noLog: Log = { info() {}, warn() {}, error() {} };

export class Recoveries {
  readonly #byTable = new Map<WatchTable, Recovery>();
  readonly #catchUp: CatchUp;
  readonly #log: Log;

  constructor({ catchUp, log }: { catchUp: CatchUp; log: Log }) {
    this.#catchUp = catchUp;
    this.#log = log;
  }

  /** Some table looks for what has changed, or is about to. */
  get isActive(): boolean {
    for (const recovery of this.#byTable.values()) if (recovery.isActive) return true;
    return false;
  }

  of(table: WatchTable): Recovery {
    let recovery = this.#byTable.get(table);
    if (recovery === undefined) {
      // Of a tree of gates nothing is told: it is only compared with what is there.
      const log = table.serves === "rules" ? this.#log : noLog;
      recovery = new Recovery(table, { catchUp: this.#catchUp, log });
      this.#byTable.set(table, recovery);
    }
    return recovery;
  }

  /** The table is no longer there. */
  delete(table: WatchTable): void {
    this.#byTable.delete(table);
  }

  /** The record in hand says that the kernel's queue was full. */
  lost(table: WatchTable): void {
    const { serves, backend } = table;
    const text = serves === "rules" ? overflowText : gatesOverflowText;
    this.#log.warn(text(backend.name));
    this.of(table).lost(nowMicroseconds());
  }

  /** Facron was not there: what has changed meanwhile is told to some rules. */
  lookBack(tables: readonly WatchTable[], { since, rules }: CatchUpPlan): void {
    for (const table of tables) this.of(table).lookBack(since, new Set(rules));
  }

  /** All that is in a directory, which is compared with the disk. */
  look(node: Node, table: WatchTable, listing: Listing): void {
    this.#byTable.get(table)?.look(node, listing);
  }

  /** Go on, between two reads. */
  step(): void {
    for (const recovery of this.#byTable.values()) recovery.step();
  }
}
