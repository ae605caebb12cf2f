/** What becomes of triggers that are in the journal. */
import { TriggerCursor } from "../reader/trigger.ts";

/** The journal, as far as runs are its business. */
export interface Tickets {
  /** A run for these begins. */
  started(tickets: readonly number[]): void;
  /** They are done with. */
  succeeded(tickets: readonly number[]): void;
  /** They will not be tried again. */
  gaveUp(
    tickets: readonly number[],
    why: { readonly error: string; readonly attempts: number },
  ): void;
  /** Whether it was taken out meanwhile, and is not to be run. It is asked once. */
  wasDropped(ticket: number): boolean;
}

/** How many of the triggers in a buffer are in the journal. */
export function ticketsIn(buffer: ArrayBuffer): number {
  const cursor = new TriggerCursor(buffer);
  let count = 0;
  while (cursor.next()) if (cursor.ticket !== 0) count++;
  return count;
}

/** Triggers that are let go in a stop. */
export class LetGo {
  /** For good. */
  lost = 0;
  /** The journal has them: they are run after the next start. */
  kept = 0;

  /** @param kept so many of `count` */
  add(count: number, kept: number): void {
    this.lost += count - kept;
    this.kept += kept;
  }
}

export function letGoIn(buffer: ArrayBuffer, count: number): LetGo {
  const letGo = new LetGo();
  letGo.add(count, ticketsIn(buffer));
  return letGo;
}

/** Whether a job is for nothing any more: of several events those that are left are reason enough to run. */
export function areDropped(tickets: readonly number[], all: Tickets | null): boolean {
  if (all === null || tickets.length === 0) return false;
  return tickets.filter((ticket) => all.wasDropped(ticket)).length === tickets.length;
}
