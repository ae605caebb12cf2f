import { expect, test } from "bun:test";
import { didYouMean } from "../../src/config/did-you-mean.ts";

const names = ["open", "close", "create", "delete", "moved_from", "moved_to", "FAN_MODIFY"];

test.each([
  ["opne", "open", "a swap"],
  ["opn", "open", "a letter missing"],
  ["oppen", "open", "a letter too many"],
  ["opan", "open", "a wrong letter"],
  ["CLOSE", "close", "other case"],
  ["fan_modfiy", "FAN_MODIFY", "a swap in other case"],
  ["moved_fomr", "moved_from", "a swap at the end"],
  ["mved_fr0m", "moved_from", "two slips in nine letters"],
])("didYouMean(%s) is %s: %s", (word, meant) => {
  expect(didYouMean(word, names)).toBe(meant);
});

test.each(["", "x", "oepm", "deal", "modify", "closing", "moved_sideways", "a".repeat(10_000)])(
  "didYouMean(%s) is no name at all",
  (word) => {
    expect(didYouMean(word, names)).toBeNull();
  },
);

test("didYouMean takes the nearest, and the first of equals", () => {
  expect(didYouMean("moved_tp", ["moved_top", "moved_to"])).toBe("moved_top");
  expect(didYouMean("moved_txo", ["moved_xyo", "moved_to"])).toBe("moved_to");
});

test("didYouMean forgives three slips in a long word, not four", () => {
  const name = "an_event_name_that_is_long";
  expect(didYouMean("an_evnt_nme_that_is_lng", [name])).toBe(name);
  expect(didYouMean("an_evnt_nme_tht_is_lng", [name])).toBeNull();
});
