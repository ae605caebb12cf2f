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

/** Whether a job is for nothing any more: of several events those that are left are reason enough to run. */
export function areDropped(tickets: readonly number[], all: Tickets | null): boolean {
  if (all === null || tickets.length === 0) return false;
  return tickets.filter((ticket) => all.wasDropped(ticket)).length === tickets.length;
}
