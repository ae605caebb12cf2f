/** A cgroup for one command: its limits, all that it starts, and what the kernel did about the limits. */
import { SyscallError } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { ActionError } from "../errors.ts";
import type { CgroupLimits } from "../rule/policy.ts";
import { sizeText } from "../rule/size.ts";
import {
  countIn,
  makeDirectory,
  processesIn,
  readControlIfAny,
  removeCgroup,
  writeControl,
} from "./cgroup-files.ts";
import { type CgroupPlace, cgroupPlaces, nameFor, placeError } from "./cgroup-place.ts";
import type { Ending, LimitHit } from "./ending.ts";

const SIGKILL = 9;

/** Passes over the processes of a cgroup: what forks faster than it is killed is met again at the next call. */
const killPassesMax = 8;

let made = 0;

/** Cgroups that could not be removed: something was still running in them. */
const lingering = new Set<string>();

/** Why rules with these limits cannot have their commands run; null: they can. One sentence with the cure. */
export function cgroupTrouble(limits: CgroupLimits): string | null {
  try {
    new Cgroup(limits).remove();
    return null;
  } catch (error) {
    if (error instanceof ActionError) return error.message;
    throw error;
  }
}

export class Cgroup {
  readonly #limits: CgroupLimits;
  /** All that it is made of: more than one where version 1 has controllers. */
  readonly directories: readonly string[];
  /** The one by which processes are found. */
  readonly #members: CgroupPlace;
  readonly #memory: CgroupPlace | null;
  readonly #pids: CgroupPlace | null;

  /** @throws {CgroupError} */
  constructor(limits: CgroupLimits) {
    const places = cgroupPlaces(limits);
    const name = nameFor(made++);
    const below = ({ directory, version }: CgroupPlace): CgroupPlace => ({
      directory: `${directory}/${name}`,
      version,
    });
    this.#limits = limits;
    this.#members = below(places.members);
    this.#memory = places.memory && below(places.memory);
    this.#pids = places.pids && below(places.pids);
    const all = [this.#members, this.#memory, this.#pids];
    this.directories = [...new Set(all.flatMap((place) => place?.directory ?? []))];
    this.#make();
  }

  #make(): void {
    removeLingering();
    for (const directory of this.directories) {
      try {
        makeDirectory(directory);
      } catch (error) {
        this.remove();
        if (!(error instanceof SyscallError)) throw error;
        throw placeError(directory.slice(0, directory.lastIndexOf("/")), error);
      }
    }
    try {
      this.#setLimits();
    } catch (error) {
      this.remove();
      if (!(error instanceof SyscallError)) throw error;
      throw placeError(this.directories[0]!, error);
    }
  }

  #setLimits(): void {
    const { memoryMax, pidsMax } = this.#limits;
    if (this.#pids !== null) writeControl(`${this.#pids.directory}/pids.max`, String(pidsMax));
    if (this.#memory === null) return;
    const { directory, version } = this.#memory;
    const limit = version === 2 ? "memory.max" : "memory.limit_in_bytes";
    writeControl(`${directory}/${limit}`, String(memoryMax));
    // The command is one thing: half of it killed is of no use to anybody (Linux 4.19).
    const isWhole = `${directory}/memory.oom.group`;
    if (readControlIfAny(isWhole) !== "") writeControl(isWhole, "1");
  }

  /** To every process in it. @param group those of this process group have got it already */
  signal(signal: number, group: number): void {
    if (signal === SIGKILL) return this.#kill();
    for (const pid of processesIn(this.#members.directory)) {
      if (libc.getpgid(pid) !== group) libc.kill(pid, signal);
    }
  }

  /** By the kernel in one step (cgroup.kill: Linux 5.14), or one by one until nobody new is there. */
  #kill(): void {
    const { directory, version } = this.#members;
    if (version === 2 && killAtOnce(directory)) return;
    const killed = new Set<number>();
    for (let pass = 0; pass < killPassesMax; pass++) {
      const found = processesIn(directory).filter((pid) => !killed.has(pid));
      if (found.length === 0) return;
      for (const pid of found) libc.kill(pid, SIGKILL);
      for (const pid of found) killed.add(pid);
    }
  }

  isEmpty(): boolean {
    const { directory, version } = this.#members;
    if (version === 1) return processesIn(directory).length === 0;
    return !/^populated 1$/m.test(readControlIfAny(`${directory}/cgroup.events`));
  }

  /** What the ending does not say: which limit was reached. Asked before it is removed. */
  explain(ending: Ending): Ending {
    const limit = this.#limitReached();
    if (limit === null) return ending;
    if (ending.kind === "exited" || ending.kind === "killed") return { ...ending, limit };
    if (ending.kind !== "not-started" || limit.key !== "memory_max") return ending;
    const { message } = ending.error;
    const more = `memory_max, ${sizeText(limit.max)}, is too little to start anything; raise it`;
    return { kind: "not-started", error: new ActionError(`${message}: ${more}`) };
  }

  #limitReached(): LimitHit | null {
    if (this.#memory !== null) {
      const { directory, version } = this.#memory;
      const file = version === 2 ? "memory.events" : "memory.oom_control";
      if (countIn(`${directory}/${file}`, "oom_kill") > 0)
        return { key: "memory_max", max: this.#limits.memoryMax! };
    }
    if (this.#pids !== null && countIn(`${this.#pids.directory}/pids.events`, "max") > 0)
      return { key: "pids_max", max: this.#limits.pidsMax! };
    return null;
  }

  /** At once, or when what is left in it has ended. */
  remove(): void {
    for (const directory of this.directories) {
      if (!removeCgroup(directory)) lingering.add(directory);
    }
  }
}

function killAtOnce(directory: string): boolean {
  try {
    writeControl(`${directory}/cgroup.kill`, "1");
    return true;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

/** At the next command, which costs less than to watch each of them. */
function removeLingering(): void {
  for (const directory of lingering) if (removeCgroup(directory)) lingering.delete(directory);
}
