/** The table of file handles against a Map: same answers, whatever collides or goes. */
import { describe, expect, test } from "bun:test";
import { HandleTable } from "../../src/watch/handle-table.ts";
import { randomBytes, seededRandom } from "../contract/random.ts";

function key(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

/** Look up where it lies in a read buffer: behind other bytes, and with others right after it. */
function find<Value>(table: HandleTable<Value>, identity: Uint8Array, behind = 0xaa): Value | null {
  const before = 12;
  const bytes = new Uint8Array((before + identity.length + 8) & ~3).fill(behind);
  bytes.set(identity, before);
  return table.get(new Int32Array(bytes.buffer), before, before + identity.length);
}

/** As the table does it (FNV-1a over words, folded), to find keys that meet in one slot. */
function slotOf(identity: Uint8Array, slots: number): number {
  const bytes = new Uint8Array((identity.length + 3) & ~3);
  bytes.set(identity);
  let hash = 0x811c_9dc5 | 0;
  for (const word of new Int32Array(bytes.buffer)) hash = Math.imul(hash ^ word, 0x0100_0193);
  return ((hash ^ (hash >>> 15)) | 0) & (slots - 1);
}

/** Keys that all want the slot `wanted` of a table of 256. */
function colliding(count: number, wanted: number): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let n = 0; keys.length < count; n++) {
    const candidate = new Uint8Array(Int32Array.of(7, 7, n).buffer);
    if (slotOf(candidate, 256) === wanted) keys.push(candidate);
  }
  return keys;
}

describe("HandleTable", () => {
  test("knows nothing at first", () => {
    expect(find(new HandleTable<string>(), key(1, 2, 3, 4))).toBeNull();
  });

  test("gives what was set last", () => {
    const table = new HandleTable<string>();
    table.set(key(1, 2, 3, 4), "old");
    table.set(key(1, 2, 3, 4), "new");
    expect([find(table, key(1, 2, 3, 4)), table.size]).toEqual(["new", 1]);
  });

  test("keeps its own copy of the key", () => {
    const table = new HandleTable<string>();
    const identity = key(1, 2, 3, 4);
    table.set(identity, "here");
    identity[0] = 9;
    expect(find(table, key(1, 2, 3, 4))).toBe("here");
  });

  test.each([1, 2, 3, 5, 6, 7, 9, 10, 11])(
    "reads no bytes behind a handle of %d bytes, and all bytes of it",
    (length) => {
      const table = new HandleTable<string>();
      const identity = new Uint8Array(length).fill(0xff);
      table.set(identity, "here");
      expect([0, 0xaa, 0xff].map((behind) => find(table, identity, behind))).toEqual(
        new Array(3).fill("here"),
      );
      for (let i = 0; i < length; i++) {
        const other = identity.slice();
        other[i] = 0xfe;
        expect(find(table, other)).toBeNull();
      }
    },
  );

  test("tells a handle from its beginning, and from itself with zeros behind", () => {
    const table = new HandleTable<string>();
    table.set(key(1, 2, 3, 4, 5), "five");
    expect(
      [key(1, 2, 3, 4), key(1, 2, 3, 4, 5, 0), key(1, 2, 3, 4, 5, 0, 0, 0)].map((k) =>
        find(table, k),
      ),
    ).toEqual([null, null, null]);
    expect(find(table, key(1, 2, 3, 4, 5))).toBe("five");
  });

  test.each([0, 100, 254, 255])("closes the gap among keys that collide at slot %d", (slot) => {
    const keys = colliding(6, slot);
    const others = [...colliding(2, (slot + 1) & 255), ...colliding(2, (slot + 2) & 255)];
    const all = [...keys, ...others];
    for (const gone of all) {
      const table = new HandleTable<number>();
      all.forEach((identity, i) => table.set(identity, i));
      table.delete(gone);
      expect(all.map((identity) => find(table, identity))).toEqual(
        all.map((identity, i) => (identity === gone ? null : i)),
      );
      expect(table.size).toBe(all.length - 1);
    }
  });

  test("does not mind the deletion of what is not there", () => {
    const table = new HandleTable<number>();
    const [first, second] = colliding(2, 3);
    table.set(first!, 1);
    table.delete(second!);
    expect([find(table, first!), table.size]).toEqual([1, 1]);
  });

  test("agrees with a Map over 100,000 random operations", () => {
    const random = seededRandom();
    const table = new HandleTable<number>();
    const model = new Map<string, number>();
    // Few enough that the same come again, of every length, many with a common beginning.
    const keys = Array.from({ length: 3000 }, (_, i) => {
      const tail = randomBytes(random, 1 + random.below(20));
      return i % 3 === 0 ? tail : Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, ...tail);
    });
    for (let n = 0; n < 100_000; n++) {
      const identity = random.pick(keys);
      const text = Buffer.from(identity).toString("hex");
      // In the first half it grows, in the second it shrinks.
      if (random.chance(n < 50_000 ? 0.5 : 0.2)) {
        table.set(identity, n);
        model.set(text, n);
      } else if (random.chance(0.5)) {
        table.delete(identity);
        model.delete(text);
      } else if (find(table, identity) !== (model.get(text) ?? null)) {
        throw new Error(`operation ${n}: ${text} is ${find(table, identity)}`);
      }
      if (table.size !== model.size) throw new Error(`operation ${n}: size is ${table.size}`);
    }
    for (const identity of keys) {
      expect(find(table, identity)).toBe(model.get(Buffer.from(identity).toString("hex")) ?? null);
    }
  });
});
