/** What the main thread has sent since the last transaction. */
import type { GaveUp, ToJournal } from "./messages.ts";

export type Add = Extract<ToJournal, { readonly kind: "add" }>;

/** What has come and is not in the file yet. */
export class Batch {
  readonly adds: Add[] = [];
  readonly started = new Map<number, number>();
  readonly succeeded: number[] = [];
  readonly gaveUp: GaveUp[] = [];
  readUntil: number | null = null;

  get isEmpty(): boolean {
    const { adds, started, succeeded, gaveUp, readUntil } = this;
    const count = adds.length + started.size + succeeded.length + gaveUp.length;
    return count === 0 && readUntil === null;
  }

  /** What has ended is written when that can be done again: until then it would be run once more. */
  takeOver({ started, succeeded, gaveUp, readUntil }: Batch): void {
    for (const [ticket, at] of started) this.started.set(ticket, at);
    for (const ticket of succeeded) this.succeeded.push(ticket);
    for (const one of gaveUp) this.gaveUp.push(one);
    this.readUntil = readUntil;
  }
}
