/** `when_busy = "skip"`: what happens while a command runs does not start another. */
import { type Log, quoted } from "../log.ts";

/** A key whose command runs, or has run while the reader may still have records of what it did. */
interface Turn {
  readonly rule: string;
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

/** So many turns that are over are remembered, for triggers that wait since then. */
const turnsMax = 10_000;

export class BusyKeys {
  readonly #turns = new Map<string, Turn>();
  readonly #readUp: ReadUp;
  readonly #log: Log;

  constructor(readUp: ReadUp, log: Log) {
    this.#readUp = readUp;
    this.#log = log;
  }

  /** Whether a trigger comes too early to be followed. @param key one of the rule's, see `keysOf` */
  passesOver(rule: string, key: string, seq: number): boolean {
    const turn = this.#turns.get(`${rule}\0${key}`);
    if (turn === undefined) return false;
    if (turn.untilSeq !== null && seq > turn.untilSeq) return false;
    turn.passedOver++;
    return true;
  }

  begin(rule: string, key: string): void {
    const turn = this.#turns.get(`${rule}\0${key}`);
    if (turn !== undefined) this.#sayPassedOver(turn);
    this.#turns.delete(`${rule}\0${key}`);
    if (this.#turns.size >= turnsMax) this.#forgetOne();
    this.#turns.set(`${rule}\0${key}`, { rule, untilSeq: null, passedOver: 0 });
  }

  /** The command could not be started: nothing was done that may be passed over. */
  cancel(rule: string, key: string): void {
    this.#turns.delete(`${rule}\0${key}`);
  }

  /** The command has ended. What it did just before that may still wait in the kernel's queue. */
  end(rule: string, key: string): void {
    const turn = this.#turns.get(`${rule}\0${key}`);
    if (turn === undefined) return;
    this.#readUp((seq) => {
      turn.untilSeq = seq;
      this.#sayPassedOver(turn);
    });
  }

  /** The oldest that is over. */
  #forgetOne(): void {
    for (const [key, { untilSeq }] of this.#turns) {
      if (untilSeq === null) continue;
      this.#turns.delete(key);
      return;
    }
  }

  #sayPassedOver(turn: Turn): void {
    if (turn.passedOver === 0) return;
    const events = turn.passedOver === 1 ? "1 event" : `${turn.passedOver} events`;
    this.#log.info(`rule ${quoted(turn.rule)}: passed over ${events} while its command ran`);
    turn.passedOver = 0;
  }
}
