/** Where the main thread and one that asks for families meet: Int32 cells that both share. */

/** Indices of the cells. */
export interface FamilyCells {
  /** 1 while commands, or what they left behind, may do something. */
  readonly commandsAct: number;
  /** The socket that tells of processes, plus 1; 0 if there is none. */
  readonly processEventsFd: number;
  /** Processes of commands that run, as of the last look at that socket. */
  readonly familyMembers: number;
}

/**
 * By the main thread: commands may act from now on, or no longer.
 *
 * @param fd of the socket that tells of their processes; null: there is none
 */
export function sayCommandsAct(
  cells: Int32Array,
  at: FamilyCells,
  { act, fd }: { readonly act: boolean; readonly fd: number | null },
): void {
  Atomics.store(cells, at.processEventsFd, fd === null ? 0 : fd + 1);
  Atomics.store(cells, at.commandsAct, act ? 1 : 0);
}
