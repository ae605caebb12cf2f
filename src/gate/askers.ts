/** Who asks: read from /proc while the kernel holds them, and nowhere else. */
import { programMount, readProcess } from "../../ffi/proc.ts";
import { type ActorFacts, unknownActor } from "../rule/actor.ts";
import type { Aliases } from "./aliases.ts";

export class Askers {
  readonly #aliases: Aliases;
  readonly #known = new Map<number, ActorFacts>();

  constructor(aliases: Aliases) {
    this.#aliases = aliases;
  }

  /** A process may become another program between two reads. */
  beginRead(): void {
    if (this.#known.size > 0) this.#known.clear();
  }

  /** @param pid 0 of who is outside of our pid namespace */
  of(pid: number): ActorFacts {
    if (pid === 0) return unknownActor;
    const known = this.#known.get(pid);
    if (known !== undefined) return known;
    const { comm, commLength, exe, exeLength, uid } = readProcess(pid, false);
    const facts: ActorFacts = {
      comm: commLength === 0 ? null : comm.slice(0, commLength),
      exe: exeLength === 0 ? null : this.#programOf(pid, exe, exeLength),
      uid: uid < 0 ? null : uid,
    };
    this.#known.set(pid, facts);
    return facts;
  }

  /** By the name that we know it by. */
  #programOf(pid: number, path: Uint8Array, length: number): Uint8Array | null {
    const mountId = programMount(pid) ?? -1;
    return this.#aliases.ownNameOf({ pid, path, length, mountId });
  }
}
