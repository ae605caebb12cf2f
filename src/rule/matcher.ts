/** Which rules a record meets: decided once for each kind of record on a place, then looked up. */
import type { ActorFilter } from "./actor.ts";
import type { RuleFilter } from "./filter.ts";
import type { NamePattern } from "./glob.ts";
import { type Answer, Hearings } from "./hearings.ts";
import type { Remembering } from "./memory.ts";
import { NameFilters } from "./name-filters.ts";
import { eventsOf, forgettingEvents, remembers } from "./rule.ts";
import type { RuleSet, Tally } from "./rule-set.ts";
import type { DirectoryPath } from "./subject.ts";
import { asItself, forgets, groupsIn, kindFor, viewSelf } from "./view.ts";

/** What one rule wants to hear about one place. */
export interface Interest {
  readonly rule: number;
  /** Records about the place itself. */
  readonly self: boolean;
  /** Records about what is in it. */
  readonly children: boolean;
  /** Only of what has such a name, which then counts as watched itself. Absent: of everything. */
  readonly names?: NamePattern;
  /** Of a gate: what the kernel is asked to hold, in its own bits. Absent: nothing. */
  readonly permissions?: number;
  /** By the rule's filters. Absent: it is heard. */
  readonly answer?: Exclude<Answer, "left out">;
}

/** The answer for one kind of record. */
export interface Verdict {
  /** Nothing to do at all. */
  readonly isNothing: boolean;
  /** What happened, as a line lists it: the record's events that concern a rule here. */
  readonly events: number;
  /** Rules met whatever happened before, in the plan's order. */
  readonly met: readonly number[];
  /** Those of them that run a command. */
  readonly running: readonly number[];
  /** Of the others, to be raised by one. */
  readonly tallies: readonly Tally[];
  /** Start of the JSON line for exactly these rules. */
  readonly head: Uint8Array;
  /** One of the rules met tells who did it. */
  readonly tellsActor: boolean;
  /** Alternatives that need to remember this record before they are met. */
  readonly partial: readonly Partial[];
  /** Remembering alternatives for which the path ends here. */
  readonly forgetting: readonly Remembering[];
}

interface Partial {
  readonly rule: number;
  readonly memory: Remembering;
  /** Bit n: group n of the alternative happened. */
  readonly groups: number;
  /** The rule is not met by it: `Answer`. */
  readonly isMuted: boolean;
}

const nothing: Verdict = {
  isNothing: true,
  events: 0,
  met: [],
  running: [],
  tallies: [],
  head: new Uint8Array(0),
  tellsActor: false,
  partial: [],
  forgetting: [],
};

/** What all rules of one place want, and the verdicts given there so far. */
export class Interests {
  readonly list: readonly Interest[];
  readonly #rules: RuleSet;
  readonly #verdicts = new Map<number, Verdict>();
  /** Events that some rule here looks at: a line lists no others. */
  readonly events: number;
  /** What the kernel has to report for these rules, what they must forget included. */
  readonly kernelEvents: number;
  readonly children: boolean;
  readonly directories: boolean;
  /** What the kernel has to hold for the gates here, in its own bits. */
  readonly permissions: number;
  /** Of the interests in certain names; null if there are none, as almost always. */
  readonly #filters: NameFilters<Verdict> | null;
  /** Of the rules with filters; null if there are none, as almost always. */
  readonly hearings: Hearings<Interests> | null;
  /** Names of files that decide which directories are left out; null if there are none. */
  readonly ignoreNames: readonly Uint8Array[] | null;
  /** `RuleSet.age` of the verdicts. */
  #age: number;

  constructor(rules: RuleSet, list: readonly Interest[]) {
    this.#rules = rules;
    this.#age = rules.age;
    this.list = list;
    const conditions = list.map(({ rule }) => rules.rules[rule]!.condition);
    const alternatives = conditions.flat();
    this.events = conditions.reduce((events, condition) => events | eventsOf(condition), 0);
    const forgets = conditions.some(remembers) ? forgettingEvents : 0;
    this.kernelEvents = this.events | forgets;
    const patterns = list.flatMap(({ names }) => names ?? []);
    this.#filters = patterns.length === 0 ? null : new NameFilters(patterns);
    this.children =
      this.#filters !== null ||
      (list.some((interest) => interest.children) && alternatives.some((a) => a.children));
    this.directories = alternatives.some((a) => a.directories);
    this.permissions = list.reduce((mask, { permissions = 0 }) => (mask | permissions) >>> 0, 0);
    const filtered = [...new Set(list.map(({ rule }) => rule))].filter(
      (rule) => rules.filterOf(rule) !== null || rules.actorFilterOf(rule) !== null,
    );
    this.hearings = filtered.length === 0 ? null : new Hearings<Interests>(filtered, this);
    const names = filtered.flatMap((rule) => rules.filterOf(rule)?.ignoreNames ?? []);
    this.ignoreNames = names.length === 0 ? null : names;
  }

  /** For what a rule's filters do not let through: without the rule, or with it as one that only remembers. */
  heardBy(answers: ReadonlyMap<number, Answer>): Interests {
    const list = this.list.flatMap((interest) => {
      const answer = answers.get(interest.rule) ?? "heard";
      return answer === "left out" ? [] : [{ ...interest, answer }];
    });
    return new Interests(this.#rules, list);
  }

  /** Only what these rules want, or null. */
  ofRules(rules: ReadonlySet<number>): Interests | null {
    const list = this.list.filter(({ rule }) => rules.has(rule));
    return list.length === 0 ? null : new Interests(this.#rules, list);
  }

  /** What the other rules here want; null if there are none. */
  without(rules: ReadonlySet<number>): Interests | null {
    const list = this.list.filter(({ rule }) => !rules.has(rule));
    if (list.length === this.list.length) return this;
    return list.length === 0 ? null : new Interests(this.#rules, list);
  }

  /** Whether no rule here hears of a directory called so, nor of anything in it. */
  excludesAllIn(directory: DirectoryPath, rootLength: number, name: Uint8Array): boolean {
    if (this.hearings === null) return false;
    return this.list.every(
      ({ rule }) => this.filterOf(rule)?.excludesAllIn(directory, rootLength, name) === true,
    );
  }

  /** The same for rules that exclude the same. */
  get exclusions(): string {
    if (this.hearings === null) return "";
    return this.list.map(({ rule }) => this.filterOf(rule)?.exclusions ?? "").join("\n");
  }

  /** `RuleSet.filterOf` */
  filterOf(rule: number): RuleFilter | null {
    return this.#rules.filterOf(rule);
  }

  /** `RuleSet.actorFilterOf` */
  actorFilterOf(rule: number): ActorFilter | null {
    return this.#rules.actorFilterOf(rule);
  }

  /** @param kind event bits, with `viewSelf`, `viewDirectory` and `viewRenamed` */
  verdict(kind: number, name: Uint8Array, start: number, end: number): Verdict {
    if (this.#age !== this.#rules.age) this.#forget();
    if (this.#filters !== null) {
      return this.#filters.verdict(kind, name.subarray(start, end), (passed) =>
        this.#decide(kind, passed),
      );
    }
    const known = this.#verdicts.get(kind);
    if (known !== undefined) return known;
    const verdict = this.#decide(kind, none);
    this.#verdicts.set(kind, verdict);
    return verdict;
  }

  #forget(): void {
    this.#age = this.#rules.age;
    this.#verdicts.clear();
    this.#filters?.forget();
  }

  /** @param passed keys of the filters that let the record's name through */
  #decide(kind: number, passed: ReadonlySet<string>): Verdict {
    const met = new Set<number>();
    const partial = new Map<Remembering, Partial>();
    const forgetting = new Set<Remembering>();
    let seen = 0;
    let lookedAt = 0;
    for (const { rule, self, children, names, answer = "heard" } of this.list) {
      if (this.#rules.isSpent(rule)) continue;
      if ((kind & viewSelf) !== 0 ? !self : !children) continue;
      if (names !== undefined && !passed.has(names.key)) continue;
      const isHeard = answer === "heard";
      const { condition } = this.#rules.rules[rule]!;
      const own = kindFor(condition, names === undefined ? kind : asItself(kind));
      if (isHeard) {
        seen |= own;
        lookedAt |= eventsOf(condition);
      }
      for (const alternative of condition) {
        const memory = isHeard
          ? this.#rules.rememberingOf(alternative)
          : this.#rules.memoryOf(alternative);
        const groups = groupsIn(alternative, own);
        if (memory === null && groups === 1 && isHeard) met.add(rule);
        if (memory !== null && groups !== 0 && answer !== "denied") {
          // Several patterns of one rule may let the name through: it has happened once.
          const before = partial.get(memory)?.groups ?? 0;
          partial.set(memory, { rule, memory, groups: before | groups, isMuted: !isHeard });
        }
        if (memory !== null && forgets(alternative, kind)) forgetting.add(memory);
      }
    }
    if (met.size === 0 && partial.size === 0 && forgetting.size === 0) return nothing;
    return this.#verdictOf([...met], seen & lookedAt, {
      partial: [...partial.values()],
      forgetting: [...forgetting],
    });
  }

  #verdictOf(
    met: readonly number[],
    events: number,
    rest: Pick<Verdict, "partial" | "forgetting">,
  ): Verdict {
    const running = met.filter((rule) => this.#rules.rules[rule]!.runs);
    const head = this.#rules.head(met, events);
    const tallies = this.#rules.talliesOf(met);
    const tellsActor = this.#rules.tellsActor(met);
    return { isNothing: false, events, met, running, tallies, head, tellsActor, ...rest };
  }
}

const none: ReadonlySet<string> = new Set();
