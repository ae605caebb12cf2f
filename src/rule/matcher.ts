/** Which rules a record meets: decided once for each kind of record on a place, then looked up. */
import { type EventName, entryEvents, eventBits, moveEvents, namesOf } from "../event.ts";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { type Filter, RuleFilter } from "./filter.ts";
import type { NamePattern } from "./glob.ts";
import { type Answer, Hearings } from "./hearings.ts";
import { Memory, type Remembering } from "./memory.ts";
import { NameFilters } from "./name-filters.ts";
import { Once, type Spending } from "./once.ts";
import { type Alternative, eventsOf, forgettingEvents, remembers, type WatchPath } from "./rule.ts";
import { type DirectoryPath, type Disk, noDisk } from "./subject.ts";

/** What the matcher needs of a rule; its index in the plan is its identity. */
export interface MatchedRule {
  readonly name: string;
  readonly watch: readonly WatchPath[];
  readonly condition: readonly Alternative[];
  readonly runs: boolean;
  readonly once?: boolean;
  readonly filter?: Filter;
}

/** What one rule wants to hear about one place. */
export interface Interest {
  readonly rule: number;
  /** Records about the place itself. */
  readonly self: boolean;
  /** Records about what is in it. */
  readonly children: boolean;
  /** Only of what has such a name, which then counts as watched itself. Absent: of everything. */
  readonly names?: NamePattern;
  /** What the record says is remembered, and the rule is not met by it: the file is not as it has to be. */
  readonly isMuted?: boolean;
}

/** How a record looks from a place: bits above the events' own. */
export const viewSelf = 0x2000_0000;
export const viewDirectory = 0x4000_0000;
/** A move that the rules which ask for `rename` hear of by that, and not by its two sides. */
export const viewRenamed = 0x1000_0000;
/** Only for rules that ask for `rename`: the side that is seen of one that is not seen whole. */
export const viewAskers = 0x0800_0000;

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
  /** Start of the JSON line for exactly these rules. */
  readonly head: Uint8Array;
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
  /** `Interest.isMuted` */
  readonly isMuted: boolean;
}

/** The rules of one plan: shared by all places, and owner of what the rules remember. */
export class RuleSet {
  readonly rules: readonly MatchedRule[];
  readonly #memoryByKey = new Map<string, Memory>();
  readonly #memoryByAlternative = new Map<Alternative, Memory>();
  readonly #heads = new Map<string, Uint8Array>();
  /** By what the rule watches and waits for, as with memories. */
  readonly #spendingByKey = new Map<string, Spending>();
  readonly #spendingByRule = new Map<MatchedRule, Spending>();
  readonly #onceByAlternative = new Map<Alternative, Once>();
  readonly #twins = new Map<string, number>();
  readonly #filterByRule = new Map<MatchedRule, RuleFilter>();
  /** Counts the rules that were spent: verdicts from before are of no more use. */
  age = 0;

  /**
   * @param before the plan until now: a rule that is still there keeps what it remembers
   * @param disk where filters find ignore files
   */
  constructor(rules: readonly MatchedRule[], before: RuleSet | null = null, disk: Disk = noDisk) {
    this.rules = rules;
    for (const rule of rules) {
      for (const alternative of rule.condition) {
        if (alternative.groups.length > 1) this.#remember(rule, alternative, before);
      }
      if (rule.once === true) this.#limitToOnce(rule, before);
      if (rule.filter !== undefined)
        this.#filterByRule.set(rule, new RuleFilter(rule.filter, disk));
    }
  }

  /** Null: everything reaches the rule. */
  filterOf(rule: number): RuleFilter | null {
    return this.#filterByRule.get(this.rules[rule]!) ?? null;
  }

  /** Whether the rule was to be met once, and was. */
  isSpent(rule: number): boolean {
    return this.#spendingByRule.get(this.rules[rule]!)?.isSpent ?? false;
  }

  /** It is met by what no record of a path says. */
  spend(rule: number): void {
    const spending = this.#spendingByRule.get(this.rules[rule]!);
    if (spending === undefined) return;
    spending.isSpent = true;
    this.age++;
  }

  /** What has to be asked before an alternative is met; null if the record alone decides. */
  rememberingOf(alternative: Alternative): Remembering | null {
    return (
      this.#onceByAlternative.get(alternative) ?? this.#memoryByAlternative.get(alternative) ?? null
    );
  }

  /** The same for a record by which the rule is not met. */
  memoryOf(alternative: Alternative): Memory | null {
    return this.#memoryByAlternative.get(alternative) ?? null;
  }

  get memories(): Iterable<Memory> {
    return this.#memoryByKey.values();
  }

  /** `"rules":["a","b"],"events":["create"],"path":"` */
  head(rules: readonly number[], events: number): Uint8Array {
    const key = `${events} ${rules.join(" ")}`;
    const known = this.#heads.get(key);
    if (known !== undefined) return known;
    const names = JSON.stringify(rules.map((rule) => this.rules[rule]!.name));
    const head = utf8(`"rules":${names},"events":${JSON.stringify(namesOf(events))},"path":"`);
    this.#heads.set(key, head);
    return head;
  }

  /**
   * The key is what the rule watches and waits for, not its name: a name that holds a line number
   * changes when a line is put above it. Rules that are the same are told apart by their order.
   */
  #remember(rule: MatchedRule, alternative: Alternative, before: RuleSet | null): void {
    const key = this.#freeKey(JSON.stringify([textOf(rule.watch), alternative]));
    const kept = before === null ? undefined : before.#memoryByKey.get(key);
    const memory = kept ?? new Memory(alternative);
    this.#memoryByKey.set(key, memory);
    this.#memoryByAlternative.set(alternative, memory);
  }

  #limitToOnce(rule: MatchedRule, before: RuleSet | null): void {
    const { watch, condition } = rule;
    const key = this.#freeKey(JSON.stringify([textOf(watch), condition, "once"]));
    const spending = (before === null ? undefined : before.#spendingByKey.get(key)) ?? {
      isSpent: false,
    };
    this.#spendingByKey.set(key, spending);
    this.#spendingByRule.set(rule, spending);
    for (const alternative of condition) {
      const memory = this.#memoryByAlternative.get(alternative) ?? null;
      const once = new Once(spending, memory, () => void this.age++);
      this.#onceByAlternative.set(alternative, once);
    }
  }

  #freeKey(text: string): string {
    const twin = this.#twins.get(text) ?? 0;
    this.#twins.set(text, twin + 1);
    return `${twin} ${text}`;
  }
}

function textOf(watch: readonly WatchPath[]): unknown {
  return watch.map((one) => ({ ...one, path: latin1(one.path) }));
}

const nothing: Verdict = {
  isNothing: true,
  events: 0,
  met: [],
  running: [],
  head: new Uint8Array(0),
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
    const filtered = new Set(list.map(({ rule }) => rule).filter((rule) => rules.filterOf(rule)));
    this.hearings = filtered.size === 0 ? null : new Hearings<Interests>([...filtered], this);
    const names = [...filtered].flatMap((rule) => rules.filterOf(rule)!.ignoreNames);
    this.ignoreNames = names.length === 0 ? null : names;
  }

  /** For what a rule's filter does not let through: without the rule, or with it as one that only remembers. */
  heardBy(answers: ReadonlyMap<number, Answer>): Interests {
    const list = this.list.flatMap((interest) => {
      const answer = answers.get(interest.rule) ?? "heard";
      if (answer === "left out") return [];
      return answer === "heard" ? [interest] : [{ ...interest, isMuted: true }];
    });
    return new Interests(this.#rules, list);
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
    for (const interest of this.list) {
      if (this.#rules.isSpent(interest.rule)) continue;
      if ((kind & viewSelf) !== 0 ? !interest.self : !interest.children) continue;
      const { names } = interest;
      if (names !== undefined && !passed.has(names.key)) continue;
      const { rule } = interest;
      const { condition } = this.#rules.rules[rule]!;
      const own = kindFor(condition, names === undefined ? kind : asItself(kind));
      seen |= own;
      lookedAt |= eventsOf(condition);
      for (const alternative of condition) {
        const isMuted = interest.isMuted === true;
        const memory = isMuted
          ? this.#rules.memoryOf(alternative)
          : this.#rules.rememberingOf(alternative);
        const groups = groupsIn(alternative, own);
        if (memory === null && groups === 1 && !isMuted) met.add(rule);
        if (memory !== null && groups !== 0) {
          // Several patterns of one rule may let the name through: it has happened once.
          const before = partial.get(memory)?.groups ?? 0;
          partial.set(memory, { rule, memory, groups: before | groups, isMuted });
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
    return { isNothing: false, events, met, running, head, ...rest };
  }
}

/** The record as a rule gets to see it, 0 if it does not: a rename is told once to whoever asks for it. */
function kindFor(condition: readonly Alternative[], kind: number): number {
  const asksForRename = (eventsOf(condition) & eventBits.rename) !== 0;
  if ((kind & viewAskers) !== 0 && !asksForRename) return 0;
  return (kind & viewRenamed) !== 0 && asksForRename ? kind & ~moveEvents : kind;
}

/**
 * What a pattern names counts as watched itself, whether or not children do. A directory of that name
 * is a place of its own: here only its coming and going is told.
 */
function asItself(kind: number): number {
  if ((kind & viewDirectory) === 0) return kind | viewSelf;
  return kind & (entryEvents | viewDirectory | viewRenamed | viewAskers);
}

const none: ReadonlySet<string> = new Set();

/** Bit n for each group n that this record brings, 0 if the alternative does not look at such records. */
function groupsIn(alternative: Alternative, kind: number): number {
  if ((kind & viewDirectory) !== 0 && !alternative.directories) return 0;
  // An entry's coming and going is reported by the directory itself (fanotify_mark(2)), so it needs
  // no FAN_EVENT_ON_CHILD; what happens to the entry's inode does.
  const seen = (kind & viewSelf) !== 0 || alternative.children ? kind : kind & entryEvents;
  let bits = 0;
  alternative.groups.forEach((group, n) => {
    if ((seen & group) !== 0) bits |= 1 << n;
  });
  return bits;
}

/** A path's history ends with it, unless its ending is what the alternative waits for. */
function forgets(alternative: Alternative, kind: number): boolean {
  const listed = alternative.groups.reduce((events, group) => events | group, 0);
  // A rename that it waits for is told for itself: the name's history starts with that.
  const isStart = (kind & viewRenamed) !== 0 && (listed & eventBits.rename) !== 0;
  const ending = isStart ? kind & ~eventBits.moved_to : kind;
  return (ending & forgettingEvents & ~listed) !== 0;
}

export const lossHead = utf8(`"events":${JSON.stringify(["q_overflow"] satisfies EventName[])}`);

/** Rules that run or are told when their backend's queue overflows. */
export function overflowRules(rules: readonly MatchedRule[]): number[] {
  const waits = (rule: MatchedRule): boolean =>
    (eventsOf(rule.condition) & eventBits.q_overflow) !== 0;
  return rules.flatMap((rule, index) => (waits(rule) ? [index] : []));
}
