/** The tables of what is watched, one for each backend that is open: few, so a list is all they need. */
import type { Backend } from "../watch/backend.ts";
import type { WatchTable } from "../watch/watch-table.ts";

/** Directories listed between two looks at the queues: about a millisecond's work. */
export const directoriesPerSlice = 64;

export class Tables {
  /** In the order in which their backends were opened. */
  readonly list: WatchTable[] = [];
  readonly #open: (backend: Backend) => WatchTable;

  /** @param open makes the table of a backend that has none yet */
  constructor(open: (backend: Backend) => WatchTable) {
    this.#open = open;
  }

  of(backend: Backend): WatchTable {
    const known = this.list.find((table) => table.backend === backend);
    if (known !== undefined) return known;
    const table = this.#open(backend);
    this.list.push(table);
    return table;
  }

  /** @returns the table of a backend that is no longer used, null if it had none */
  retire(backend: Backend): WatchTable | null {
    const at = this.list.findIndex((table) => table.backend === backend);
    return at < 0 ? null : this.list.splice(at, 1)[0]!;
  }

  get ofRules(): readonly WatchTable[] {
    return this.list.filter(({ serves }) => serves === "rules");
  }

  /** Directories are to be found, or to be looked up. */
  get needsWalk(): boolean {
    for (let i = 0; i < this.list.length; i++) if (this.list[i]!.needsWalk) return true;
    return false;
  }

  /** A walk finds more, whatever the records say. */
  get walksOn(): boolean {
    for (let i = 0; i < this.list.length; i++) if (this.list[i]!.walksOn) return true;
    return false;
  }

  get isWalking(): boolean {
    for (let i = 0; i < this.list.length; i++) if (this.list[i]!.isWalking) return true;
    return false;
  }

  /** A slice of the walk of each. */
  walk(): void {
    for (const table of this.list) table.walk(directoriesPerSlice);
  }

  /** Kernel marks and watches held. */
  get marks(): number {
    return this.list.reduce((sum, { backend }) => sum + backend.marks, 0);
  }

  /** Whether something is at a path, and watched. */
  has(key: string): boolean {
    return this.list.some(({ roots }) => (roots.get(key)?.node ?? null) !== null);
  }
}
