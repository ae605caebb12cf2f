/** Who did what is being read: asked of /proc at once, and only for records that a rule asks it of. */
import { Errno } from "../../ffi/errno.ts";
import { closeDescriptor } from "../../ffi/fd.ts";
import { FAN_EPIDFD } from "../../ffi/fanotify/abi.ts";
import { pidfdHoldsNumber } from "../../ffi/pidfd.ts";
import { procHasOurNumbers, type ProcessFacts, readProcess } from "../../ffi/proc.ts";
import { actorJson } from "../output/actor-json.ts";
import type { ActorFacts } from "../rule/actor.ts";
import type { ActorDesk } from "../watch/actor-desk.ts";
import { packActor } from "./packed-actor.ts";
import type { Curable, UnknownActors, WhyUnknown } from "./unknown-actors.ts";

/** A process as it was when a record of it was read. */
export interface Actor extends ActorFacts {
  /** As a line has it. */
  readonly json: Uint8Array;
  /** As a trigger has it. */
  readonly packed: Uint8Array;
  /** Why a part of it is not known; null: all is that there is, and a kernel thread has no program. */
  readonly why: WhyUnknown | null;
}

/** Who did a record that is told later. */
export interface KeptActor {
  readonly actor: Actor | null;
  /** Why it is not known, should it not be; null: the backend tells nobody's. */
  readonly why: WhyUnknown | null;
}

/** Of what was found by a look. */
export const noRecord: KeptActor = { actor: null, why: "no-record" };

/** Who did the record in hand. */
export interface ActorSource {
  /** Null if it is not known, or no longer. */
  readonly current: Actor | null;
  /** The same for when the record is told later: it is asked now. */
  readonly kept: KeptActor;
  /** What is told meanwhile is of somebody else than the record in hand. */
  during(kept: KeptActor, tell: () => void): void;
  /** A rule would decide by what is not known of it. */
  undecided(): void;
}

export const nobody: ActorSource = {
  current: null,
  kept: { actor: null, why: null },
  during: (_, tell) => tell(),
  undecided: () => {},
};

interface Known {
  readonly actor: Actor;
  /** The read in which it was last seen to be true. */
  read: number;
}

/** Far more than do something at once; all are read anew then. */
const knownMax = 4096;

const noPidfd = -1;

/**
 * A process may become another program between two records, so what is known of it is read again in
 * each read(2); what lasts for its life is all that is made of that. One that has ended is not known,
 * also if it was: it may have been another program by then.
 */
export class Actors implements ActorDesk, ActorSource {
  readonly #unknown: UnknownActors;
  readonly #byPid = new Map<number, Known>();
  #read = 0;
  #pid = 0;
  #pidfd = noPidfd;
  /** Null: that was not asked yet. */
  #canLook: boolean | null = null;
  /** Why the actor of the record in hand is not known, should it not be; null: there is none in hand. */
  #why: WhyUnknown | null = null;
  /** Of the record in hand; undefined: nobody has asked. */
  #actor: Actor | null | undefined = null;

  constructor(unknown: UnknownActors) {
    this.#unknown = unknown;
  }

  beginRead(): void {
    this.#read++;
  }

  beginRecord(pid: number, pidfd: number): void {
    this.#pid = pid;
    this.#pidfd = pidfd;
    this.#why = pid === 0 ? "outside" : "ended";
    this.#actor = undefined;
  }

  endRecord(): void {
    if (this.#pidfd >= 0) closeDescriptor(this.#pidfd);
    this.#pidfd = noPidfd;
    this.#why = null;
    this.#actor = null;
  }

  undecided(): void {
    const why = this.#actor ? this.#actor.why : this.#why;
    if (why !== null) this.#unknown.undecided(why);
  }

  get kept(): KeptActor {
    const actor = this.current;
    return { actor, why: this.#why };
  }

  during(kept: KeptActor, tell: () => void): void {
    const inHand = { actor: this.#actor, why: this.#why };
    this.#actor = kept.actor;
    this.#why = kept.why;
    tell();
    this.#actor = inHand.actor;
    this.#why = inHand.why;
  }

  /** Asked of /proc when the first rule wants it. */
  get current(): Actor | null {
    if (this.#actor === undefined) this.#actor = this.#find();
    return this.#actor;
  }

  #find(): Actor | null {
    if (this.#pidfd === FAN_EPIDFD) return this.#cannotLook("no-descriptor");
    if (this.#pidfd < 0) return null;
    if (!(this.#canLook ??= procHasOurNumbers())) return this.#cannotLook("no-proc");
    const known = this.#byPid.get(this.#pid);
    // Its pidfd was alive after this read: no other process can have had the number in it since.
    if (known?.read === this.#read) return known.actor;
    const facts = readProcess(this.#pid);
    if (!pidfdHoldsNumber(this.#pidfd)) return null;
    if (facts.commLength === 0 && facts.uid < 0) return this.#cannotLook("hidden");
    if (facts.exeErrno === Errno.EACCES) this.#unknown.sayOnce("hidden");
    if (facts.commErrno === Errno.EMFILE) this.#unknown.sayOnce("no-descriptor");
    return this.#remember(known, facts);
  }

  #cannotLook(why: Curable): null {
    this.#why = why;
    this.#unknown.sayOnce(why);
    return null;
  }

  #remember(known: Known | undefined, facts: ProcessFacts): Actor {
    if (known !== undefined && isSame(known.actor, facts)) {
      known.read = this.#read;
      return known.actor;
    }
    if (this.#byPid.size >= knownMax) this.#byPid.clear();
    const actor = actorOf(facts);
    this.#byPid.set(this.#pid, { actor, read: this.#read });
    return actor;
  }
}

function actorOf(found: ProcessFacts): Actor {
  const { comm, commLength, exe, exeLength, uid } = found;
  const facts: ActorFacts = {
    comm: commLength === 0 ? null : comm.slice(0, commLength),
    exe: exeLength === 0 ? null : exe.slice(0, exeLength),
    uid: uid < 0 ? null : uid,
  };
  return { ...facts, json: actorJson(facts), packed: packActor(facts), why: whyOf(found) };
}

function whyOf({ exeErrno, commErrno }: ProcessFacts): WhyUnknown | null {
  if (commErrno === Errno.EMFILE) return "no-descriptor";
  if (exeErrno === 0) return null;
  return exeErrno === Errno.EACCES ? "hidden" : "ended";
}

function isSame(actor: Actor, { comm, commLength, exe, exeLength, uid }: ProcessFacts): boolean {
  return (
    (actor.uid ?? -1) === uid &&
    startsWith(comm, commLength, actor.comm) &&
    startsWith(exe, exeLength, actor.exe)
  );
}

function startsWith(buffer: Uint8Array, length: number, bytes: Uint8Array | null): boolean {
  if (bytes === null) return length === 0;
  if (bytes.length !== length) return false;
  for (let i = 0; i < length; i++) if (buffer[i] !== bytes[i]) return false;
  return true;
}
