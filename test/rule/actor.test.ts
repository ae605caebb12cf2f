/** Filters on who did it, as they are written. */
import { describe, expect, test } from "bun:test";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import {
  ActorFilter,
  type ActorFacts,
  type ActorTraits,
  effectOfNotKnowing,
  resolved,
  unknownActor,
} from "../../src/rule/actor.ts";

const vim: ActorFacts = { comm: utf8("vim"), exe: utf8("/usr/bin/vim.basic"), uid: 1000 };

function passes(only: ActorTraits, not: ActorTraits = {}, actor = vim): boolean {
  return new ActorFilter({ only, not }).judge(actor).passes;
}

describe("ActorFilter", () => {
  test.each<[boolean, string, ActorTraits]>([
    [true, "the whole path", { exe: ["/usr/bin/vim.basic"] }],
    [true, "a pattern of the path", { exe: ["/usr/*/vim*"] }],
    [true, "the name alone", { exe: ["vim.basic"] }],
    [true, "a pattern of the name", { exe: ["{vi,ema}*"] }],
    [true, "one of a list", { exe: ["/bin/ed", "vim*"] }],
    [true, "each key that is given", { exe: ["vim*"], comm: ["v?m"], uid: [0, 1000] }],
    [false, "the start of a path", { exe: ["/usr/bin"] }],
    [false, "the end of a path", { exe: ["/bin/vim.basic"] }],
    [false, "a star that would have to match a slash", { exe: ["/usr/*"] }],
    [false, "another name", { exe: ["vim"] }],
    [false, "one key of two", { exe: ["vim*"], uid: [0] }],
    [false, "no user at all", { uid: [] }],
  ])("%p for %s", (expected, _, only) => {
    expect(passes(only)).toBe(expected);
  });

  test("leaves out for each reason in `not`", () => {
    expect(passes({}, { comm: ["backup", "vim"] })).toBe(false);
    expect(passes({}, { comm: ["backup"], uid: [1000] })).toBe(false);
    expect(passes({}, { comm: ["backup"], uid: [0], exe: ["/bin/*"] })).toBe(true);
    expect(passes({ exe: ["vim*"] }, { uid: [1000] })).toBe(false);
  });

  test("what is not known is not what is asked for, and no reason to leave it out", () => {
    for (const only of [{ exe: ["*"] }, { comm: ["*"] }, { uid: [0] }])
      expect(passes(only, {}, unknownActor)).toBe(false);
    for (const not of [{ exe: ["*"] }, { comm: ["*"] }, { uid: [0] }])
      expect(passes({}, not, unknownActor)).toBe(true);
  });

  test("is certain where what is not known would change nothing", () => {
    const ending: ActorFacts = { comm: utf8("sh"), exe: null, uid: 0 };
    const isCertain = (only: ActorTraits, not: ActorTraits = {}) =>
      new ActorFilter({ only, not }).judge(ending).isCertain;
    expect(isCertain({ comm: ["sh"], uid: [0] })).toBe(true);
    expect(isCertain({ comm: ["ed"], exe: ["*"] })).toBe(true);
    expect(isCertain({ exe: ["*"] }, { uid: [0] })).toBe(true);
    expect(isCertain({ comm: ["sh"], exe: ["*"] })).toBe(false);
    expect(isCertain({ comm: ["sh"] }, { exe: ["dash"] })).toBe(false);
  });

  test("a kernel worker's name may hold a slash, which a star matches", () => {
    const worker = { comm: utf8("kworker/u8:1-writeback"), exe: null, uid: 0 };
    expect(passes({ comm: ["kworker/*"] }, {}, worker)).toBe(true);
    expect(passes({ comm: ["k*"] }, {}, worker)).toBe(true);
  });

  test("names of any bytes", () => {
    const odd = { comm: fromLatin1("\xff\n"), exe: fromLatin1("/\xfe/\xff"), uid: 0 };
    expect(passes({ comm: ["??"], exe: ["/*/?"] }, {}, odd)).toBe(true);
    expect(passes({ comm: ["ü"] }, {}, odd)).toBe(false);
  });
});

test("resolved puts numbers in place of users; one that is not there means nobody, not anybody", () => {
  const wish = { only: { uid: ["www-data", "gone"] }, not: { uid: ["gone"], comm: ["x"] } };
  const uidOf = (user: string) => (user === "www-data" ? 33 : null);
  const found = resolved(wish, uidOf);
  expect(found).toEqual({ only: { uid: [33] }, not: { uid: [], comm: ["x"] } });
  expect(resolved({ only: { uid: ["1000"] }, not: {} }, uidOf).only.uid).toEqual([1000]);
  expect(
    new ActorFilter(resolved({ only: { uid: ["gone"] }, not: {} }, uidOf)).judge(vim).passes,
  ).toBe(false);
});

test("effectOfNotKnowing says what becomes of a rule", () => {
  expect(effectOfNotKnowing({ only: {}, not: {} })).toBe("has no comm, exe and uid");
  expect(effectOfNotKnowing({ only: {}, not: { comm: ["x"] } })).toBe("fires whoever did it");
  expect(effectOfNotKnowing({ only: { uid: [0] }, not: { comm: ["x"] } })).toBe("never fires");
});
