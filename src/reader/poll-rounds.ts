/** Rounds of polling in slices, between two looks at the queues, and the last one at the end. */
import type { Log } from "../log.ts";
import type { PollTable } from "../watch/poll-table.ts";
import type { Backpressure } from "./backpressure.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Lookout } from "./lookout.ts";
import type { Outbox } from "./outbox.ts";

/** How long files are looked at between two looks at the queues. */
const lookSliceMs = 2;

/** How long the last look may take: whoever stops us waits for it. */
const lastLookMs = 5_000;

export interface PollRoundOptions {
  readonly table: PollTable;
  readonly backpressure: Backpressure;
  readonly dispatch: Dispatch;
  readonly outbox: Outbox;
  readonly lookout: Lookout;
  readonly log: Log;
}

export class PollRounds {
  readonly #options: PollRoundOptions;
  /** A round is under way, and there is no room for what it finds. */
  #waitsForRoom = false;

  constructor(options: PollRoundOptions) {
    this.#options = options;
  }

  /** The next slice need not wait for anything. */
  get isDue(): boolean {
    return this.#options.table.isLooking && !this.#waitsForRoom;
  }

  /** A slice of a round, if one is due. @param isTime for the next round */
  lookOn({ isTime }: { readonly isTime: boolean }): void {
    const { table, backpressure } = this.#options;
    if (isTime) table.startRound();
    if (!table.isLooking) return;
    this.#waitsForRoom = !backpressure.hasRoom();
    if (!this.#waitsForRoom) this.#tell(() => table.lookOn(lookSliceMs));
  }

  /** What has changed since the last look, and what nobody will be told of. */
  lookOnceMore(): void {
    const { table, log } = this.#options;
    if (table.roots.size === 0) return;
    let isOver = false;
    this.#tell(() => (isOver = table.lookOnce(lastLookMs)));
    if (!isOver) log.warn("The last look took too long: the newest changes are not told");
    const { openEnded } = table;
    if (openEnded > 0)
      log.warn(
        `Files that changed at the end, and may not be complete: ${openEnded}; ` +
          "no close_write was told of them",
      );
  }

  #tell(look: () => void): void {
    const { outbox, lookout, dispatch } = this.#options;
    outbox.beginBatch();
    lookout.during(() => dispatch.duringLooks(look));
    outbox.handOver();
  }
}
