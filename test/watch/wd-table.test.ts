/** The table of watch descriptors against a Map: same answers, whatever collides or goes. */
import { describe, expect, test } from "bun:test";
import { WdTable } from "../../src/watch/wd-table.ts";
import { seededRandom } from "../contract/random.ts";

/** All of them want the same slot of a table of 256. */
const colliding = [1, 257, 513, 769].map((wd) => ({ wd }));

describe("WdTable", () => {
  test("knows nothing at first", () => {
    const table = new WdTable();
    expect(table.get(1)).toBeNull();
    expect(table.delete(1)).toBe(false);
    expect(table.size).toBe(0);
  });

  test("finds what wants one slot, also when one of them goes", () => {
    const [first, second, third, fourth] = colliding;
    const table = new WdTable<{ wd: number }>();
    for (const mark of colliding) table.add(mark);
    expect(table.delete(second!.wd)).toBe(true);
    expect(table.delete(second!.wd)).toBe(false);
    expect(colliding.map(({ wd }) => table.get(wd))).toEqual([first!, null, third!, fourth!]);
    expect(table.size).toBe(3);
  });

  test("answers as a Map does to 20,000 random changes", () => {
    const random = seededRandom(20_000);
    const table = new WdTable<{ wd: number }>();
    const map = new Map<number, { wd: number }>();
    for (let n = 0; n < 20_000; n++) {
      const wd = 1 + random.below(3000);
      const mark = { wd };
      if (random.chance(0.4)) expect(table.delete(wd)).toBe(map.delete(wd));
      else if (!map.has(wd)) {
        table.add(mark);
        map.set(wd, mark);
      }
    }
    expect(table.size).toBe(map.size);
    for (let wd = 0; wd <= 3001; wd++) expect(table.get(wd)).toBe(map.get(wd) ?? null);
  });
});
