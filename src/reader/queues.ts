/** Reads the kernel's queues: one read(2), and all that follows from it is told before the next. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { CatchUp } from "../watch/catch-up.ts";
import type { Root } from "../watch/tree.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Outbox } from "./outbox.ts";
import type { Recoveries } from "./recoveries.ts";
import { Rests } from "./rests.ts";
import type { Tables } from "./tables.ts";

export interface QueueOptions {
  readonly tables: Tables;
  readonly dispatch: Dispatch;
  readonly catchUp: CatchUp;
  readonly recoveries: Recoveries;
  readonly outbox: Outbox;
}

export class Queues {
  readonly #tables: Tables;
  readonly #dispatch: Dispatch;
  readonly #catchUp: CatchUp;
  readonly #recoveries: Recoveries;
  readonly #outbox: Outbox;
  /** Roots whose ignore files are no longer what they were. */
  readonly #ignoreChanged = new Map<Root, WatchTable>();
  readonly #rests = new Rests();

  constructor({ tables, dispatch, catchUp, recoveries, outbox }: QueueOptions) {
    this.#tables = tables;
    this.#dispatch = dispatch;
    this.#catchUp = catchUp;
    this.#recoveries = recoveries;
    this.#outbox = outbox;
  }

  /** One read(2), and what follows from it: one write(2), one message. @returns bytes read */
  readAndTell(table: WatchTable): number {
    const length = this.read(table);
    this.followIgnoreFiles();
    this.tell();
    return length;
  }

  /** One read(2); what follows from it is not handed over yet. @returns bytes read */
  read(table: WatchTable): number {
    const now = nowMicroseconds();
    this.#rests.end(table);
    this.#outbox.beginBatch(now);
    this.#recoveries.of(table).beforeRead(now);
    this.#dispatch.watchedEntries = this.#catchUp.openLooks;
    return this.#dispatch.read(table);
  }

  /** Everything up to this moment, and nothing that comes while we read it: that could go on for ever. */
  readWhatIsQueued(): void {
    for (const table of this.#tables.list) {
      const until = table.backend.end;
      while (table.backend.position < until && this.readAndTell(table) > 0);
    }
  }

  /** How long a table that waits for a rest has to rest still, in milliseconds; null if it does not wait. */
  restsForMs(table: WatchTable): number | null {
    return table.isUnsettled ? this.#rests.leftMs(table) : null;
  }

  /** To be called whenever there is nothing to read of a table: what has waited for a rest comes then. */
  settleIfRested(table: WatchTable): void {
    const leftMs = this.restsForMs(table);
    if (leftMs !== null && leftMs > 0) return;
    this.#rests.end(table);
    if (leftMs === 0 && table.backend.queuedBytes === 0) this.settle(table);
  }

  /** The queue of a table is empty: what has waited for that comes now. */
  settle(table: WatchTable): void {
    this.#outbox.beginBatch();
    table.settle();
    this.tell();
  }

  /** Look for what has changed while records were lost. */
  recover(): void {
    if (!this.#recoveries.isActive) return;
    this.#outbox.beginBatch();
    this.#recoveries.step();
    this.tell();
  }

  /** What is known by now goes out, and with it what was found by looks and waited for records. */
  tell(): void {
    this.#catchUp.tellDue();
    this.#outbox.handOver();
  }

  /** The record in hand says so. */
  ignoreFileChanged(root: Root, table: WatchTable): void {
    this.#ignoreChanged.set(root, table);
  }

  /** Once for a read, however often they were written. */
  followIgnoreFiles(): void {
    if (this.#ignoreChanged.size === 0) return;
    for (const [{ node }, table] of this.#ignoreChanged) if (node !== null) table.reconsider(node);
    this.#ignoreChanged.clear();
  }
}
