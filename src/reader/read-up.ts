/** Questions of the main thread: has everything been read that was queued when it asked? */
import type { WatchTable } from "../watch/watch-table.ts";

/** What decides whether all that follows from the records is told too. */
export interface Settling {
  readonly tables: readonly WatchTable[];
  /** Directories are still to be looked into. */
  readonly isWalking: boolean;
  /** Looks whose findings wait for records that are still queued. */
  readonly openLooks: number;
}

interface Question {
  until: ReadonlyMap<WatchTable, number>;
  isAskedAgain: boolean;
}

/**
 * A question is not a reason to read: a slow stdout stops the reading, and the answer waits with it.
 *
 * Records may lead to a walk, a look or a wait for the other half of a rename, and these to events. So
 * each question is asked twice: once more when the first time is settled, of what is queued by then.
 */
export class ReadUps {
  readonly #questions: Question[] = [];

  ask(tables: readonly WatchTable[]): void {
    this.#questions.push({ until: endsOf(tables), isAskedAgain: false });
  }

  /**
   * To be called after each round of reading, until it says "wait".
   *
   * @returns "answer" for the question that has waited longest; "look" if the queues have to be looked
   * at once more, without a wait
   */
  next(settling: Settling): "answer" | "look" | "wait" {
    const question = this.#questions[0];
    if (question === undefined || !isSettled(question, settling)) return "wait";
    if (question.isAskedAgain) {
      this.#questions.shift();
      return "answer";
    }
    question.isAskedAgain = true;
    question.until = endsOf(settling.tables);
    return "look";
  }
}

/** Where the queues end now, as `Backend.position` counts. */
function endsOf(tables: readonly WatchTable[]): ReadonlyMap<WatchTable, number> {
  return new Map(tables.map((table) => [table, table.backend.end]));
}

function isSettled({ until }: Question, { tables, isWalking, openLooks }: Settling): boolean {
  if (isWalking || openLooks > 0) return false;
  return tables.every(
    (table) => !table.isUnsettled && table.backend.position >= (until.get(table) ?? 0),
  );
}
