/** Questions that wait for a command's answer: who asks the same of the same file waits for the same one. */
import type { ActorFacts } from "../rule/actor.ts";
import type { Court } from "./court.ts";
import type { PlannedAsk, PlannedGate } from "../rule/gate.ts";

/** A process that the kernel holds. */
export interface Waiting {
  /** Ours, until it is answered. */
  readonly eventFd: number;
  readonly events: number;
  /** Its own copy. */
  readonly path: Uint8Array;
  readonly pid: number;
  readonly actor: ActorFacts;
  /** performance.now() when it was read. */
  readonly since: number;
}

/** One run of a gate's command that is due or under way. */
export interface Asked {
  readonly id: number;
  readonly court: Court;
  readonly gate: PlannedGate;
  readonly ask: PlannedAsk;
  /** Who asks under the same key waits for the same run; empty: nobody can join. */
  readonly key: string;
  /** Under which the answer can be kept; empty: under none. */
  readonly answerKey: string;
  /** performance.now() */
  readonly deadline: number;
  readonly waiting: Waiting[];
}

export class Pending {
  readonly #byKey = new Map<string, Asked>();
  /** The one that was asked first comes first. */
  readonly #byId = new Map<number, Asked>();
  #lastId = 0;
  #processes = 0;
  /** performance.now(); no deadline is before it. */
  #earliest = Infinity;

  /** Processes that wait. */
  get processes(): number {
    return this.#processes;
  }

  /** What is asked already, and can still be joined. */
  find(key: string): Asked | null {
    return this.#byKey.get(key) ?? null;
  }

  ask(question: Omit<Asked, "id" | "waiting">): Asked {
    const asked: Asked = { ...question, id: ++this.#lastId, waiting: [] };
    if (asked.key !== "") this.#byKey.set(asked.key, asked);
    this.#byId.set(asked.id, asked);
    this.#earliest = Math.min(this.#earliest, asked.deadline);
    return asked;
  }

  join(asked: Asked, waiting: Waiting): void {
    asked.waiting.push(waiting);
    this.#processes++;
  }

  /** It is over. @returns null if it was before */
  take(id: number): Asked | null {
    const asked = this.#byId.get(id);
    if (asked === undefined) return null;
    this.#byId.delete(id);
    if (this.#byKey.get(asked.key) === asked) this.#byKey.delete(asked.key);
    this.#processes -= asked.waiting.length;
    return asked;
  }

  /** The next whose time is over. */
  takeOverdue(now: number): Asked | null {
    if (now < this.#earliest) return null;
    let earliest = Infinity;
    for (const { id, deadline } of this.#byId.values()) {
      if (deadline <= now) return this.take(id);
      earliest = Math.min(earliest, deadline);
    }
    this.#earliest = earliest;
    return null;
  }

  /** No more can join: the gates have changed. */
  forgetKeys(): void {
    this.#byKey.clear();
  }

  /** performance.now() before which no deadline is; Infinity if nothing waits. */
  get nextDeadline(): number {
    return this.#byId.size === 0 ? Infinity : this.#earliest;
  }
}
