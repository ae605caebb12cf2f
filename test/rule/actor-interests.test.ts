/** Rules that are for certain processes, met by what these did: as the matcher decides it. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { type EventName, eventBits } from "../../src/event.ts";
import { type ActorFacts, type ActorWish, unknownActor } from "../../src/rule/actor.ts";
import { Interests, type MatchedRule, RuleSet } from "../../src/rule/matcher.ts";

const name = utf8("f");

/** A rule of the directory `/d`; "a|b" needs both. */
function rule(ruleName: string, events: string, actor?: ActorWish, once = false): MatchedRule {
  const groups = events.split("|").map((event) => eventBits[event as EventName]);
  return {
    name: ruleName,
    watch: [{ path: utf8("/d"), recursive: false }],
    condition: [{ groups, children: true, directories: true }],
    runs: false,
    once,
    ...(actor === undefined ? {} : { actor }),
  };
}

const only = (comm: string): ActorWish => ({ only: { comm: [comm] }, not: {} });
const not = (comm: string): ActorWish => ({ only: {}, not: { comm: [comm] } });
const actor = (comm: string): ActorFacts => ({ comm: utf8(comm), exe: null, uid: 0 });

function place(...rules: readonly MatchedRule[]) {
  const set = new RuleSet(rules);
  const list = rules.map((_, index) => ({ rule: index, self: true, children: true }));
  return new Interests(set, list);
}

function metBy(interests: Interests, who: ActorFacts, event: EventName): readonly number[] {
  return interests.of(who).verdict(eventBits[event], name, 0, 1).met;
}

describe("Interests of an actor", () => {
  const vim = actor("vim");

  test("are those of the rules that are for it", () => {
    const here = place(
      rule("a", "create"),
      rule("b", "create", only("vim")),
      rule("c", "create", not("vim")),
    );
    expect(here.filtersActor).toBe(true);
    expect(metBy(here, vim, "create")).toEqual([0, 1]);
    expect(metBy(here, actor("cp"), "create")).toEqual([0, 2]);
    expect(metBy(here, unknownActor, "create")).toEqual([0, 2]);
  });

  test("are looked at only where some rule has a filter", () => {
    const asking = place(rule("a", "create", { only: {}, not: {} }), rule("b", "create"));
    expect(asking.filtersActor).toBe(false);
    expect(asking.verdict(eventBits.create, name, 0, 1).tellsActor).toBe(true);
    expect(place(rule("a", "create")).verdict(eventBits.create, name, 0, 1).tellsActor).toBe(false);
  });

  test("list no event that only a rule looks at which leaves it out", () => {
    const here = place(rule("a", "create"), rule("b", "modify", not("vim")));
    const both = eventBits.create | eventBits.modify;
    expect(here.of(vim).verdict(both, name, 0, 1).events).toBe(eventBits.create);
    expect(here.of(actor("cp")).verdict(both, name, 0, 1).events).toBe(both);
  });

  test("are one object for all actors that the same rules leave out", () => {
    const here = place(rule("a", "create", only("vim")), rule("b", "create", not("cp")));
    expect(here.of(actor("ed"))).toBe(here.of(unknownActor));
    expect(here.of(actor("ed"))).not.toBe(here.of(vim));
  });

  test("of a rule that needs two events are both of them by actors it is for", () => {
    const here = place(rule("a", "create|modify", only("vim")));
    const partsFor = (who: ActorFacts) =>
      here.of(who).verdict(eventBits.create, name, 0, 1).partial;
    expect(partsFor(vim)).toHaveLength(1);
    expect(partsFor(actor("cp"))).toHaveLength(0);
  });

  test("forget a path whoever deletes it", () => {
    const here = place(rule("a", "create|modify", only("vim")));
    for (const who of [vim, actor("rm"), unknownActor])
      expect(here.of(who).verdict(eventBits.delete, name, 0, 1).forgetting).toHaveLength(1);
  });

  test("spend a rule that fires once by an actor that it is for", () => {
    const here = place(rule("a", "create", only("vim"), true));
    expect(here.of(actor("cp")).verdict(eventBits.create, name, 0, 1).partial).toHaveLength(0);
    const [one] = here.of(vim).verdict(eventBits.create, name, 0, 1).partial;
    expect(one!.memory.add("f", one!.groups)).toBe(true);
    expect(here.of(vim).verdict(eventBits.create, name, 0, 1).isNothing).toBe(true);
  });
});
