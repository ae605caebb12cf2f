/** Who did it: what a rule wants of that, and whether a process is one that it means. */
import { utf8 } from "../../ffi/bytes.ts";
import { asPattern, componentsOf, type NamePattern, patternOf } from "./glob.ts";

/** What is known of a process when its record is read. */
export interface ActorFacts {
  /** Any bytes but NUL, 15 at most (proc_pid_comm(5)); null: not known. */
  readonly comm: Uint8Array | null;
  /** The path of its program; null: not known, or it has none, as a kernel thread. */
  readonly exe: Uint8Array | null;
  /** The effective user id; null: not known. */
  readonly uid: number | null;
}

/** One object: what is decided for it is looked up by it. */
export const unknownActor: ActorFacts = { comm: null, exe: null, uid: null };

/** Processes by what they are: one of each list. Absent: it does not matter. */
export interface ActorTraits<Uid = number> {
  /** Patterns (`glob.ts`) of the path, or of the program's name if they have no slash. */
  readonly exe?: readonly string[];
  /** Patterns. */
  readonly comm?: readonly string[];
  readonly uid?: readonly Uid[];
}

/** A rule that wants to know who did it, and may be for some processes only. */
export interface ActorWish<Uid = number> {
  /** All that is given has to fit; nothing given: anybody. */
  readonly only: ActorTraits<Uid>;
  /** Each that fits is a reason not to fire. */
  readonly not: ActorTraits<Uid>;
}

/** As it is written: users by name or by number. */
export type WrittenActorWish = ActorWish<string>;

export const anybody: ActorWish<never> = { only: {}, not: {} };

/** Whether it says more than that the actor is to be told. */
export function isFilter({ only, not }: ActorWish<unknown>): boolean {
  return namesAny(only) || namesAny(not);
}

/** Whether the rule fires for nobody who is not known. */
export function needsKnownActor({ only }: ActorWish<unknown>): boolean {
  return namesAny(only);
}

/** What becomes of a rule where nobody knows who did it, as it follows "Rule ". */
export function effectOfNotKnowing(wish: ActorWish<unknown>): string {
  if (needsKnownActor(wish)) return "never fires";
  return isFilter(wish) ? "fires whoever did it" : "has no comm, exe and uid";
}

function namesAny({ exe, comm, uid }: ActorTraits<unknown>): boolean {
  return exe !== undefined || comm !== undefined || uid !== undefined;
}

/** The same with numbers in place of users. @param uidOf null if there is no such user: nobody is meant */
export function resolved(
  { only, not }: WrittenActorWish,
  uidOf: (user: string) => number | null,
): ActorWish {
  const numberOf = (user: string): number | null =>
    /^\d+$/.test(user) ? Number(user) : uidOf(user);
  const traits = ({ uid, ...rest }: ActorTraits<string>): ActorTraits => {
    return uid === undefined ? rest : { ...rest, uid: uid.flatMap((user) => numberOf(user) ?? []) };
  };
  return { only: traits(only), not: traits(not) };
}

/** The users that it names. */
export function usersOf({ only, not }: WrittenActorWish): readonly string[] {
  return [...(only.uid ?? []), ...(not.uid ?? [])];
}

/** A wish, made ready to be asked. */
export class ActorFilter {
  readonly #only: Traits;
  readonly #not: Traits;
  readonly #judgements = new WeakMap<ActorFacts, Judgement>();

  constructor({ only, not }: ActorWish) {
    this.#only = traitsOf(only);
    this.#not = traitsOf(not);
  }

  /**
   * What is not known is not what the rule asks for, and no reason to leave it out.
   *
   * @param actor the same object for as long as what it says is true
   */
  judge(actor: ActorFacts): Judgement {
    const known = this.#judgements.get(actor);
    if (known !== undefined) return known;
    const judgement = this.#decide(actor);
    this.#judgements.set(actor, judgement);
    return judgement;
  }

  #decide(actor: ActorFacts): Judgement {
    const fits = answersOf(this.#only, actor);
    const reasons = answersOf(this.#not, actor);
    if (fits.includes(false) || reasons.includes(true)) return judgements.fails;
    if (fits.includes(null)) return judgements.failsUnknown;
    return reasons.includes(null) ? judgements.passesUnknown : judgements.passes;
  }
}

/** Whether a rule is for an actor. */
export interface Judgement {
  readonly passes: boolean;
  /** What is not known of the actor would not change it. */
  readonly isCertain: boolean;
}

const judgements = {
  passes: { passes: true, isCertain: true },
  passesUnknown: { passes: true, isCertain: false },
  fails: { passes: false, isCertain: true },
  failsUnknown: { passes: false, isCertain: false },
} as const satisfies Record<string, Judgement>;

/** Of each trait that matters, whether the actor has it; null: that is not known. */
function answersOf(traits: Traits, { comm, exe, uid }: ActorFacts): (boolean | null)[] {
  return [
    ...(traits.comm === null ? [] : [comm && traits.comm(comm)]),
    ...(traits.exe === null ? [] : [exe && traits.exe(exe)]),
    ...(traits.uid === null ? [] : [uid === null ? null : traits.uid(uid)]),
  ];
}

interface Traits {
  readonly comm: ((comm: Uint8Array) => boolean) | null;
  readonly exe: ((exe: Uint8Array) => boolean) | null;
  readonly uid: ((uid: number) => boolean) | null;
}

function traitsOf({ exe, comm, uid }: ActorTraits): Traits {
  const names = comm?.map((text) => patternOf(utf8(text)));
  const programs = exe?.map(programPattern);
  return {
    comm: names === undefined ? null : (found) => names.some((one) => one.matches(found)),
    exe: programs === undefined ? null : (found) => programs.some((one) => one(found)),
    uid: uid === undefined ? null : (found) => uid.includes(found),
  };
}

function programPattern(text: string): (exe: Uint8Array) => boolean {
  if (!text.includes("/")) {
    const name = patternOf(utf8(text));
    return (exe) => name.matches(exe.subarray(exe.lastIndexOf(slash) + 1));
  }
  const components = componentsOf(utf8(text)).map(asPattern);
  return (exe) => matchesAll(components, exe);
}

const slash = 0x2f;

/** @param path absolute */
function matchesAll(components: readonly NamePattern[], path: Uint8Array): boolean {
  let start = 1;
  for (const [at, component] of components.entries()) {
    const found = path.indexOf(slash, start);
    const isLast = at === components.length - 1;
    if (isLast !== (found === -1)) return false;
    const end = isLast ? path.length : found;
    if (!component.matches(path.subarray(start, end))) return false;
    start = end + 1;
  }
  return true;
}
