/** Rules that do one thing at a time: what happens while their command runs does not start another. */
import { type Log, quoted } from "../log.ts";

/** A rule whose command runs, or has run while the reader may still have records of what it did. */
interface Turn {
  /** Triggers up to this line of stdout belong to the turn; null until the reader has said it. */
  untilSeq: number | null;
  passedOver: number;
}

/**
 * Asks the reader to read what is queued by now.
 *
 * @param then is told the number of the last line
 */
export type ReadUp = (then: (seq: number) => void) => void;

export class BusyRules {
  readonly #turns = new Map<string, Turn>();
  readonly #readUp: ReadUp;
  readonly #log: Log;

  constructor(readUp: ReadUp, log: Log) {
    this.#readUp = readUp;
    this.#log = log;
  }

  /** Whether a trigger comes too early to be followed. */
  passesOver(rule: string, seq: number): boolean {
    const turn = this.#turns.get(rule);
    if (turn === undefined) return false;
    if (turn.untilSeq !== null && seq > turn.untilSeq) return false;
    turn.passedOver++;
    return true;
  }

  begin(rule: string): void {
    this.#sayPassedOver(rule);
    this.#turns.set(rule, { untilSeq: null, passedOver: 0 });
  }

  /** The command could not be started: nothing was done that may be passed over. */
  cancel(rule: string): void {
    this.#turns.delete(rule);
  }

  /** The command has ended. What it did just before that may still wait in the kernel's queue. */
  end(rule: string): void {
    const turn = this.#turns.get(rule);
    if (turn === undefined) return;
    this.#readUp((seq) => {
      turn.untilSeq = seq;
      this.#sayPassedOver(rule);
    });
  }

  #sayPassedOver(rule: string): void {
    const turn = this.#turns.get(rule);
    if (turn === undefined || turn.passedOver === 0) return;
    const events = turn.passedOver === 1 ? "1 event" : `${turn.passedOver} events`;
    this.#log.info(`rule ${quoted(rule)}: passed over ${events} while its command ran`);
    turn.passedOver = 0;
  }
}
