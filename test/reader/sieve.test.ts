/** Rules that are for certain processes, or for certain files too, and which of them hear of a record. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { type EventName, eventBits } from "../../src/event.ts";
import { type Actor, nobody } from "../../src/reader/actors.ts";
import { Sieve } from "../../src/reader/sieve.ts";
import type { ActorWish } from "../../src/rule/actor.ts";
import type { Filter } from "../../src/rule/filter.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { type MatchedRule, RuleSet } from "../../src/rule/rule-set.ts";
import { type FileFacts, noDisk } from "../../src/rule/subject.ts";
import { Node } from "../../src/watch/tree.ts";

const name = utf8("f");

interface Wishes {
  readonly actor?: ActorWish;
  readonly filter?: Filter;
  readonly once?: boolean;
}

/** A rule of the directory `/d`; "a|b" needs both. */
function rule(ruleName: string, events: string, wishes: Wishes = {}): MatchedRule {
  const groups = events.split("|").map((event) => eventBits[event as EventName]);
  return {
    name: ruleName,
    watch: [{ path: utf8("/d"), recursive: false }],
    condition: [{ groups, children: true, directories: true }],
    runs: false,
    ...wishes,
  };
}

const only = (comm: string): Wishes => ({ actor: { only: { comm: [comm] }, not: {} } });
const not = (comm: string): Wishes => ({ actor: { only: {}, not: { comm: [comm] } } });

const nothing = new Uint8Array(0);

function actor(comm: string): Actor {
  return { comm: utf8(comm), exe: null, uid: 0, json: nothing, packed: nothing, why: null };
}

function place(...rules: readonly MatchedRule[]) {
  const set = new RuleSet(rules);
  const list = rules.map((_, index) => ({ rule: index, self: true, children: true }));
  return new Interests(set, list);
}

/** A sieve that is told who does things, and counts how often it asks, and in vain. */
function sieve() {
  const asked = { actor: 0, disk: 0, undecided: 0 };
  const now: { who: Actor | null; facts: FileFacts | null } = { who: null, facts: null };
  const actors = {
    ...nobody,
    get current() {
      asked.actor++;
      return now.who;
    },
    undecided: () => void asked.undecided++,
  };
  const disk = { ...noDisk, facts: () => (asked.disk++, now.facts) };
  const filters = new Sieve(disk, actors);
  const hear = (interests: Interests, event: EventName, file = name): Interests =>
    filters.pass(interests, eventBits[event], nodeOf(interests), file, 0, file.length);
  return { now, asked, hear };
}

function nodeOf(interests: Interests): Node {
  const rest = { below: null, belowHidden: null, node: null, isStrict: false };
  const path = utf8("/d");
  const kind = { namesSubdirectories: false, noticesNames: false, scope: "tree" as const };
  const root = { path, top: interests, ...rest, ...kind };
  const mark = { isDirectory: true, identity: null, nodes: [], names: null, mask: 0 };
  return new Node(root, mark, { parent: null, name: path });
}

/** What is wanted of what this process does; null: nobody knows it. */
function heardOf(interests: Interests, who: Actor | null, event: EventName): Interests {
  const one = sieve();
  one.now.who = who;
  return one.hear(interests, event);
}

function verdictOn(interests: Interests, who: Actor | null, event: EventName) {
  return heardOf(interests, who, event).verdict(eventBits[event], name, 0, 1);
}

describe("Sieve", () => {
  const vim = actor("vim");
  const cp = actor("cp");

  test("lets through to the rules that are for the actor", () => {
    const here = place(
      rule("a", "create"),
      rule("b", "create", only("vim")),
      rule("c", "create", not("vim")),
    );
    expect(verdictOn(here, vim, "create").met).toEqual([0, 1]);
    expect(verdictOn(here, cp, "create").met).toEqual([0, 2]);
    expect(verdictOn(here, null, "create").met).toEqual([0, 2]);
  });

  test("has nothing to do where no rule has a filter", () => {
    const asking = place(
      rule("a", "create", { actor: { only: {}, not: {} } }),
      rule("b", "create"),
    );
    expect(asking.hearings).toBeNull();
    expect(asking.verdict(eventBits.create, name, 0, 1).tellsActor).toBe(true);
    expect(place(rule("a", "create")).verdict(eventBits.create, name, 0, 1).tellsActor).toBe(false);
  });

  test("lists no event that only a rule looks at which is not for the actor", () => {
    const here = place(rule("a", "create"), rule("b", "modify", not("vim")));
    const both = eventBits.create | eventBits.modify;
    const events = (who: Actor) => heardOf(here, who, "modify").verdict(both, name, 0, 1).events;
    expect(events(vim)).toBe(eventBits.create);
    expect(events(cp)).toBe(both);
  });

  test("gives one object for all actors that the same rules are for", () => {
    const here = place(rule("a", "create", only("vim")), rule("b", "create", not("cp")));
    expect(heardOf(here, actor("ed"), "create")).toBe(heardOf(here, null, "create"));
    expect(heardOf(here, actor("ed"), "create")).not.toBe(heardOf(here, vim, "create"));
  });

  test("remembers for a rule that needs two events what is by actors it is for", () => {
    const here = place(rule("a", "create|modify", only("vim")));
    expect(verdictOn(here, vim, "create").partial).toHaveLength(1);
    expect(verdictOn(here, cp, "create").partial).toHaveLength(0);
  });

  test("forgets a path whoever deletes it, and asks nobody", () => {
    const here = place(rule("a", "create|modify", only("vim")));
    for (const who of [vim, cp, null])
      expect(verdictOn(here, who, "delete").forgetting).toHaveLength(1);
    const { asked, hear } = sieve();
    hear(here, "delete");
    expect(asked).toEqual({ actor: 0, disk: 0, undecided: 0 });
  });

  test("spends a rule that fires once by an actor that it is for", () => {
    const here = place(rule("a", "create", { ...only("vim"), once: true }));
    expect(verdictOn(here, cp, "create").partial).toHaveLength(0);
    const [one] = verdictOn(here, vim, "create").partial;
    expect(one!.memory.add("f", one!.groups)).toBe(true);
    expect(verdictOn(here, vim, "create").isNothing).toBe(true);
  });

  test("asks by the name first, then who did it, and looks at the file last", () => {
    const filter: Filter = { include: [utf8("*.csv")], minSize: 10 };
    const here = place(rule("a", "close_write", { ...only("vim"), filter }));
    const { now, asked, hear } = sieve();
    const met = (file: string) => {
      const bytes = utf8(file);
      const heard = hear(here, "close_write", bytes);
      return heard.verdict(eventBits.close_write, bytes, 0, bytes.length).met;
    };
    now.who = vim;
    now.facts = { type: "file", size: 10 };
    expect(met("a.txt")).toEqual([]);
    expect(asked).toEqual({ actor: 0, disk: 0, undecided: 0 });
    now.who = cp;
    expect(met("a.csv")).toEqual([]);
    expect(asked).toMatchObject({ actor: 1, disk: 0 });
    now.who = vim;
    expect(met("a.csv")).toEqual([0]);
    now.facts = { type: "file", size: 9 };
    expect(met("a.csv")).toEqual([]);
    expect(asked).toMatchObject({ disk: 2, undecided: 0 });
  });

  test("counts one record that nobody knows the actor of, however many rules ask", () => {
    const here = place(rule("a", "create", only("vim")), rule("b", "create", not("cp")));
    const { asked, hear } = sieve();
    hear(here, "create");
    expect(asked.undecided).toBe(1);
    hear(here, "modify"); // concerns no rule
    expect(asked.undecided).toBe(1);
  });
});
