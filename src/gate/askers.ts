/** Who asks: read from /proc while the kernel holds them, and nowhere else. */
import { readProcess } from "../../ffi/proc.ts";
import { type ActorFacts, unknownActor } from "../rule/actor.ts";

export class Askers {
  readonly #known = new Map<number, ActorFacts>();

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
      exe: exeLength === 0 ? null : exe.slice(0, exeLength),
      uid: uid < 0 ? null : uid,
    };
    this.#known.set(pid, facts);
    return facts;
  }
}
