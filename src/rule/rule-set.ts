/** The rules of one plan, and what they remember. */
import { type EventName, eventBits, namesOf } from "../event.ts";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { ActorFilter, type ActorWish, isFilter } from "./actor.ts";
import { type Filter, RuleFilter } from "./filter.ts";
import { Memory, type Remembering } from "./memory.ts";
import { Once, type Spending } from "./once.ts";
import { type Alternative, eventsOf, type WatchPath } from "./rule.ts";
import { type Disk, noDisk } from "./subject.ts";

/** What the matcher needs of a rule; its index in the plan is its identity. */
export interface MatchedRule {
  readonly name: string;
  readonly watch: readonly WatchPath[];
  readonly condition: readonly Alternative[];
  readonly runs: boolean;
  readonly once?: boolean;
  readonly filter?: Filter;
  readonly actor?: ActorWish;
}

/** How often a rule was met that has no command. */
export interface Tally {
  count: number;
}

/** The rules of one plan: shared by all places, and owner of what the rules remember. */
export class RuleSet {
  readonly rules: readonly MatchedRule[];
  /** By the names of rules without a command: those with one are counted where it is run. */
  readonly tallies = new Map<string, Tally>();
  readonly #memoryByKey = new Map<string, Memory>();
  readonly #memoryByAlternative = new Map<Alternative, Memory>();
  readonly #heads = new Map<string, Uint8Array>();
  /** By what the rule watches and waits for, as with memories. */
  readonly #spendingByKey = new Map<string, Spending>();
  readonly #spendingByRule = new Map<MatchedRule, Spending>();
  readonly #onceByAlternative = new Map<Alternative, Once>();
  readonly #twins = new Map<string, number>();
  readonly #filterByRule = new Map<MatchedRule, RuleFilter>();
  readonly #actorFilterByRule = new Map<MatchedRule, ActorFilter>();
  /** Counts the rules that were spent: verdicts from before are of no more use. */
  age = 0;

  /**
   * @param before the plan until now: a rule that is still there keeps what it remembers
   * @param disk where filters find ignore files
   */
  constructor(rules: readonly MatchedRule[], before: RuleSet | null = null, disk: Disk = noDisk) {
    this.rules = rules;
    for (const rule of rules) {
      const { name, runs } = rule;
      if (!runs) this.tallies.set(name, before?.tallies.get(name) ?? { count: 0 });
      for (const alternative of rule.condition) {
        if (alternative.groups.length > 1) this.#remember(rule, alternative, before);
      }
      if (rule.once === true) this.#limitToOnce(rule, before);
      if (rule.filter !== undefined)
        this.#filterByRule.set(rule, new RuleFilter(rule.filter, disk));
      if (rule.actor !== undefined && isFilter(rule.actor))
        this.#actorFilterByRule.set(rule, new ActorFilter(rule.actor));
    }
  }

  /** A rule without a command was met. */
  tally(rule: number): void {
    this.tallies.get(this.rules[rule]!.name)!.count++;
  }

  /** Of those of them that have no command. */
  talliesOf(rules: readonly number[]): Tally[] {
    return rules.flatMap((rule) => this.tallies.get(this.rules[rule]!.name) ?? []);
  }

  /** Null: the rule is for all that happens at its paths. */
  filterOf(rule: number): RuleFilter | null {
    return this.#filterByRule.get(this.rules[rule]!) ?? null;
  }

  /** Null: it is for whoever does it. */
  actorFilterOf(rule: number): ActorFilter | null {
    return this.#actorFilterByRule.get(this.rules[rule]!) ?? null;
  }

  /** Whether a line for these rules tells who did it. */
  tellsActor(rules: readonly number[]): boolean {
    return rules.some((rule) => this.rules[rule]!.actor !== undefined);
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

export const lossHead = utf8(`"events":${JSON.stringify(["q_overflow"] satisfies EventName[])}`);

/** Rules that run or are told when their backend's queue overflows. */
export function overflowRules(rules: readonly MatchedRule[]): number[] {
  const waits = (rule: MatchedRule): boolean =>
    (eventsOf(rule.condition) & eventBits.q_overflow) !== 0;
  return rules.flatMap((rule, index) => (waits(rule) ? [index] : []));
}
