/** The gates that decide now, and those that will when all their roots are known. */
import { Court } from "./court.ts";
import type { FromReaderToGate, GatePlan } from "./messages.ts";

export class Courts {
  #inForce: Court;
  #next: Court | null = null;
  /** Of plans that are still to come: the reader may be heard before the main thread, which told it first. */
  #early: FromReaderToGate[] = [];

  constructor(plan: GatePlan) {
    this.#inForce = new Court(plan);
  }

  get inForce(): Court {
    return this.#inForce;
  }

  /** A plan that is to be in force later; one that is not yet is given up. */
  prepare(plan: GatePlan): void {
    this.#next = new Court(plan);
    for (const message of this.#early.splice(0)) this.place(message);
  }

  /** Where a gate is, or is no more. */
  place(message: FromReaderToGate): void {
    const generation = generationOf(message);
    const court = this.#of(generation);
    if (court === null) {
      if (generation > (this.#next ?? this.#inForce).plan.generation) this.#early.push(message);
    } else if (message.kind === "root") court.setRoot(message.root);
    else court.removeRoot(message.key);
  }

  /** @returns false if that plan was given up */
  putInForce(generation: number): boolean {
    if (this.#next?.plan.generation !== generation) return false;
    this.#inForce = this.#next;
    this.#next = null;
    return true;
  }

  #of(generation: number): Court | null {
    return [this.#inForce, this.#next].find((one) => one?.plan.generation === generation) ?? null;
  }
}

function generationOf(message: FromReaderToGate): number {
  return message.kind === "root" ? message.root.generation : message.generation;
}
