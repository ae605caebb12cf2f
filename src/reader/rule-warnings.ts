/** What a rule never gets at a path that is watched all the same: said in the log, so that nobody waits for it. */
import { type Log, quoted } from "../log.ts";
import { effectOfNotKnowing } from "../rule/actor.ts";
import { whyNeverHeard } from "../rule/filter-text.ts";
import { whyNeverMet } from "../rule/reach.ts";
import type { Root } from "../watch/tree.ts";
import type { Claim } from "./claims.ts";

/** Ways of watching that do not tell who did it; inotify(7) has no word for it. */
export type Anonymous = "inotify" | "polling" | "fanotify without privilege";

export class RuleWarnings {
  readonly #log: Log;
  /** Rules of this plan of which it is said that nobody knows who did it. */
  #saidOfActors = new Set<number>();

  constructor(log: Log) {
    this.#log = log;
  }

  beginPlan(): void {
    this.#saidOfActors = new Set();
  }

  /** What is at the path now has no such events. */
  neverMet({ planned, names }: Claim, { path, node }: Root): void {
    if (node === null || names !== null) return;
    const { condition, filter } = planned;
    const isHeard = node.isDirectory || filter === undefined;
    const why =
      whyNeverMet(condition, node.isDirectory) ?? (isHeard ? null : whyNeverHeard(filter, path));
    if (why === null) return;
    this.#log.warn(`Rule ${quoted(planned.name)} never fires for ${quoted(path)}: ${why}`);
  }

  /** Said of the first path only. */
  noActors(claims: readonly Claim[], path: Uint8Array, how: Anonymous): void {
    for (const { rule, planned } of claims) {
      const { actor, name } = planned;
      if (actor === undefined || this.#saidOfActors.has(rule)) continue;
      this.#saidOfActors.add(rule);
      this.#log.warn(
        `Rule ${quoted(name)} ${effectOfNotKnowing(actor)} for ${quoted(path)}: ${how} does not tell who did it; fanotify does, as root`,
      );
    }
  }
}
