/** A plan takes the place of another between two reads, so that a reload loses no event. */
import type { Log } from "../log.ts";
import { RuleSet } from "../rule/rule-set.ts";
import type { RealDisk } from "../watch/disk.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import type { Dispatch } from "./dispatch.ts";
import { type Group, groupOf, handOver, nothingWatched } from "./group-handover.ts";
import type { Lookout } from "./lookout.ts";
import type { Outbox } from "./outbox.ts";
import { claimantsOf, type Plan } from "./plan.ts";
import type { Queues } from "./queues.ts";
import type { Recoveries } from "./recoveries.ts";
import type { Watcher } from "./watcher.ts";

export interface PlanSwapOptions {
  readonly watcher: Watcher;
  readonly queues: Queues;
  readonly dispatch: Dispatch;
  readonly recoveries: Recoveries;
  readonly outbox: Outbox;
  readonly disk: RealDisk;
  readonly lookout: Lookout;
  readonly log: Log;
}

export class PlanSwap {
  readonly #options: PlanSwapOptions;
  #rules: RuleSet | null = null;

  constructor(options: PlanSwapOptions) {
    this.#options = options;
  }

  /** How often rules without a command were met, by their names. */
  get tallies(): (readonly [string, number])[] {
    return Array.from(this.#rules?.tallies ?? [], ([name, { count }]) => [name, count] as const);
  }

  /**
   * What happened before the reload meets the rules from before it.
   *
   * @throws {WatchError} if the plan says that every path must work, and one does not
   */
  apply(plan: Plan): void {
    const { queues, watcher, dispatch, outbox, disk, lookout } = this.#options;
    queues.readWhatIsQueued();
    const rules = new RuleSet(claimantsOf(plan), this.#rules, disk);
    const retired = lookout.during(() => watcher.apply(plan, rules));
    if (retired !== null) this.#readOut(retired);
    this.#rules = rules;
    dispatch.setRules(rules);
    outbox.generation = plan.generation;
  }

  /** What the new group is told of is told from the moment on up to which the old one has told it. */
  #readOut(retired: WatchTable): void {
    const { queues, watcher, recoveries, log } = this.#options;
    const fresh = watcher.tables.list.find(
      ({ backend, serves }) => backend.name === "fanotify" && serves === "rules",
    );
    const isExact = handOver(this.#told(retired), fresh ? this.#followed(fresh) : nothingWatched);
    queues.followIgnoreFiles();
    recoveries.delete(retired);
    retired.backend.close();
    if (!isExact)
      log.warn(
        "Some events may be told twice: things happened all the time while fanotify was opened anew",
      );
  }

  #told(table: WatchTable): Group {
    const { queues, recoveries } = this.#options;
    const recovery = recoveries.of(table);
    return groupOf(table, {
      read: () => queues.readAndTell(table),
      settle: () => (recovery.isActive ? queues.recover() : queues.settle(table)),
      isRecovering: () => recovery.isActive,
    });
  }

  #followed(table: WatchTable): Group {
    const { queues } = this.#options;
    return groupOf(table, {
      read: () => this.#muted(() => queues.read(table)),
      settle: () => this.#muted(() => table.settle()),
    });
  }

  #muted<Result>(follow: () => Result): Result {
    const { dispatch } = this.#options;
    dispatch.isMuted = true;
    const result = follow();
    dispatch.isMuted = false;
    return result;
  }
}
