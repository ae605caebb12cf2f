/** What gates would decide about a file, and why some of them would not: by the matcher of the gate thread. */
import { quoted } from "../log.ts";
import { type ActorFacts, ActorFilter } from "../rule/actor.ts";
import type { Filter } from "../rule/filter.ts";
import { leftOutText } from "../rule/filter-text.ts";
import { type Gate, gateBits, gateNamesOf, type PlannedGate } from "../rule/gate.ts";
import { type GatedRoot, GateMatcher, type Question } from "../rule/gate-matcher.ts";
import { plannedGate } from "../rule/gate-plan.ts";
import { PathGlob } from "../rule/path-glob.ts";
import type { FileFacts } from "../rule/subject.ts";
import { describeActor } from "./describe-actor.ts";
import { type Place, rootsNear } from "./gate-places.ts";

/** Something that a process is about to do. */
export interface Attempt {
  /** One of `gateBits`. */
  readonly event: number;
  readonly place: Place;
  /** Null: nothing is there. */
  readonly facts: FileFacts | null;
  /** Null: it is not known. */
  readonly actor: ActorFacts;
  /** Null: there is no such user. */
  readonly uidOf: (user: string) => number | null;
}

export type Standing =
  | { readonly gate: Gate; readonly kind: "decides" }
  /** Who does it is not known; `decidesIf` says who it is for. */
  | { readonly gate: Gate; readonly kind: "depends"; readonly decidesIf: string }
  /** @param why as it follows "does not decide: " */
  | { readonly gate: Gate; readonly kind: "passes"; readonly why: string };

export interface Trial {
  /** The gate that decides about a process of which no more is known; null: none, so it is allowed. */
  readonly decider: Gate | null;
  /** Down to the first that surely decides. */
  readonly standings: readonly Standing[];
}

export function tryGates(gates: readonly Gate[], attempt: Attempt): Trial {
  const standings: Standing[] = [];
  let decider: Gate | null = null;
  for (const gate of gates) {
    const standing = standingOf(gate, attempt);
    standings.push(standing.standing);
    if (standing.decides) decider ??= gate;
    if (standing.standing.kind === "decides") break;
  }
  return { decider, standings };
}

interface Standpoint {
  readonly standing: Standing;
  /** As the gate thread would take it. */
  readonly decides: boolean;
}

function standingOf(gate: Gate, attempt: Attempt): Standpoint {
  const planned = plannedGate(gate, attempt.uidOf);
  const why = new Probe(planned, gate, attempt).whyNot();
  if (why !== null) return { standing: { gate, kind: "passes", why }, decides: false };
  if (planned.actor === undefined) return { standing: { gate, kind: "decides" }, decides: true };
  const { passes, isCertain } = new ActorFilter(planned.actor).judge(attempt.actor);
  const who = describeActor(gate.actor!);
  if (!isCertain) return { standing: { gate, kind: "depends", decidesIf: who }, decides: passes };
  const standing = passes
    ? ({ gate, kind: "decides" } as const)
    : ({ gate, kind: "passes", why: `it is for certain processes: ${who}` } as const);
  return { standing, decides: passes };
}

const everyEvent = Object.values(gateBits).reduce((all, bit) => all | bit, 0);

/** Asks the matcher about a gate with some of its conditions only: the first that makes it say no is why. */
class Probe {
  readonly #planned: PlannedGate;
  readonly #gate: Gate;
  readonly #attempt: Attempt;
  readonly #roots: readonly GatedRoot[];

  constructor(planned: PlannedGate, gate: Gate, attempt: Attempt) {
    this.#planned = planned;
    this.#gate = gate;
    this.#attempt = attempt;
    this.#roots = rootsNear(gate.watch, attempt.place);
  }

  /** Null: it is about the file, whoever it is that wants it. */
  whyNot(): string | null {
    const { events, children, directories, filter } = this.#planned;
    const { actor: _, filter: __, ...bare } = this.#planned;
    const anywhere = { ...bare, events: everyEvent, children: true, directories: true };
    if (!this.#matches(anywhere)) return this.#whyNotThere(anywhere);
    if (!this.#matches({ ...anywhere, children }))
      return "what is in the directory does not count: add |FAN_EVENT_ON_CHILD to the events";
    if ((events & this.#attempt.event) === 0)
      return `it decides about ${gateNamesOf(events).join(", ")}`;
    // The kernel is asked for files only, so that the matcher need not look.
    if (this.#attempt.facts?.type === "dir" && !directories)
      return 'directories do not count: add "dir" to type, or |FAN_ONDIR to the events';
    if (filter === undefined || this.#matches({ ...anywhere, filter })) return null;
    return `left out by ${this.#whyFiltered({ ...anywhere, filter })}`;
  }

  #matches(planned: PlannedGate, roots = this.#roots): boolean {
    const { place, event, facts, actor } = this.#attempt;
    const matcher = new GateMatcher([planned]);
    for (const [key, root] of roots.entries()) matcher.setRoot(String(key), root);
    const question: Question = { events: event, facts: () => facts, actor: () => actor };
    return matcher.match(place.real, place.real.length, question) === 0;
  }

  #whyNotThere(anywhere: PlannedGate): string {
    const changed = (claim: Partial<GatedRoot["claims"][number]>): GatedRoot[] =>
      this.#roots.map((root) => ({
        ...root,
        claims: root.claims.map((one) => ({ ...one, ...claim })),
      }));
    if (this.#matches(anywhere, changed({ skipsHidden: false })))
      return "it is below a directory whose name starts with a dot, and those are left out";
    if (this.#matches(anywhere, changed({ skipsHidden: false, recursive: true })))
      return "the path is further below, and the gate is not recursive";
    const watched = this.#gate.watch.map(({ path }) => quoted(path)).join(" or ");
    return `it watches ${watched}, and the path is not in there`;
  }

  /** The part of the filter that does it. */
  #whyFiltered({ filter = {}, ...anywhere }: PlannedGate): string {
    const fails = (part: Filter): boolean => !this.#matches({ ...anywhere, filter: part });
    const { include, exclude = [], types, minSize } = filter;
    if (include !== undefined && fails({ include })) return leftOutText({ by: "include" }, filter);
    const excluding = exclude.find((one) => fails({ exclude: [one] }));
    if (excluding !== undefined)
      return leftOutText({ by: "exclude", glob: PathGlob.ofRule(excluding) }, filter);
    if (types !== undefined && fails({ types })) return leftOutText({ by: "type" }, filter);
    const isFile = this.#attempt.facts?.type === "file";
    if (!isFile) return leftOutText({ by: "size of no file" }, filter);
    const by = minSize !== undefined && fails({ minSize }) ? "min_size" : "max_size";
    return leftOutText({ by }, filter);
  }
}
