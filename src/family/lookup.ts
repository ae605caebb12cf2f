/** Which command of ours a process descends from, as /proc has it now: for where the kernel tells of no forks. */
import { listDirectory } from "../../ffi/files.ts";
import { procHasOurNumbers } from "../../ffi/proc.ts";
import { processStat, type ProcessStat } from "../../ffi/proc-stat.ts";
import { cString, latin1, utf8 } from "../../ffi/bytes.ts";
import { noFamily, unknownFamily } from "./family.ts";

/** Deeper than processes ever are; the tree may change while it is looked at. */
const depthMax = 100;

export class FamilyLookup {
  readonly #ownPid: number;
  readonly #statOf: (pid: number) => ProcessStat | null;
  /** Null: nobody has asked yet. */
  #own: ProcessStat | null | undefined;

  constructor(ownPid: number, statOf: (pid: number) => ProcessStat | null = processStat) {
    this.#ownPid = ownPid;
    this.#statOf = statOf;
  }

  /** The command's pid, `noFamily` if it is certainly nobody's of ours, else `unknownFamily`. */
  of(pid: number): number {
    if (this.#own === undefined)
      this.#own = procHasOurNumbers() ? this.#statOf(this.#ownPid) : null;
    const own = this.#own;
    if (own === null) return unknownFamily;
    for (let at = pid, depth = 0; depth < depthMax; depth++) {
      const stat = this.#statOf(at);
      if (stat === null) return unknownFamily;
      if (stat.parent === this.#ownPid) return at;
      if (stat.parent <= 1) return isForeign(at, stat, own) ? noFamily : unknownFamily;
      at = stat.parent;
    }
    return unknownFamily;
  }
}

/**
 * A child of init is either init's own, or an orphan: then it may be one of ours.
 *
 * What started before facron is not. Neither is what leads a session: services and logins do, and what a
 * command leaves behind seldom does (daemon(3) forks only once, and is taken for a service).
 */
function isForeign(pid: number, { session, startTicks }: ProcessStat, own: ProcessStat): boolean {
  return startTicks < own.startTicks || session === pid;
}

/** All that runs, by pid its parent. @throws {SyscallError} about /proc */
export function parentsOfAll(): Map<number, number> {
  const parents = new Map<number, number>();
  listDirectory(cString(utf8("/proc")), (name) => {
    const pid = Number(latin1(name));
    const stat = Number.isSafeInteger(pid) ? processStat(pid) : null;
    if (stat !== null) parents.set(pid, stat.parent);
  });
  return parents;
}
