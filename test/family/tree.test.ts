/** Forks and exits told by hand: whose descendant a number is, and for how long. */
import { describe, expect, test } from "bun:test";
import { FamilyTree } from "../../src/family/tree.ts";
import { unknownFamily } from "../../src/family/family.ts";

const own = 100;
const foreign = 7;

describe("FamilyTree", () => {
  test("a child of our own is a command, and all below it are of that command", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.forked(own, 300);
    tree.forked(200, 201);
    tree.forked(201, 202);
    tree.forked(300, 301);
    expect([200, 201, 202, 300, 301].map((pid) => tree.of(pid))).toEqual([200, 200, 200, 300, 300]);
    expect(tree.living).toBe(5);
  });

  test("nobody else's children are, and nothing is kept of them", () => {
    const tree = new FamilyTree(own);
    tree.forked(foreign, 8);
    tree.forked(8, 9);
    expect(tree.of(9)).toBeNull();
    expect(tree.isEmpty).toBe(true);
  });

  test("an orphan stays in its family", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.forked(200, 201);
    tree.ended(200, 0);
    tree.forked(201, 202);
    expect(tree.of(202)).toBe(200);
    expect(tree.living).toBe(2);
  });

  test("of the living, a number that is used again at once is the latest one's", () => {
    const used = (isOfLiving: boolean): FamilyTree => {
      const tree = new FamilyTree(own, { isOfLiving });
      tree.forked(own, 200);
      tree.forked(200, 201);
      tree.ended(201, 0);
      tree.forked(own, 201);
      return tree;
    };
    expect(used(true).of(201)).toBe(201);
    expect(used(false).of(201)).toBe(unknownFamily); // its records of before may still be read
  });

  test("who has ended is known until the queues were empty, and ten seconds at least", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.ended(200, 1_000);
    expect(tree.living).toBe(0);
    tree.passed(10_999);
    expect(tree.of(200)).toBe(200);
    tree.passed(11_000);
    expect(tree.of(200)).toBeNull();
    expect(tree.isEmpty).toBe(true);
  });

  test("who has ended is known as long as the queues were not empty", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.ended(200, 0);
    tree.forked(own, 201);
    tree.ended(201, 1_000_000);
    expect(tree.of(200)).toBe(200);
  });

  test("no more than so many that have ended are kept, the oldest go first", () => {
    const tree = new FamilyTree(own, { max: 2 });
    for (const pid of [200, 201, 202]) {
      tree.forked(own, pid);
      tree.ended(pid, 0);
    }
    expect([200, 201, 202].map((pid) => tree.of(pid))).toEqual([null, 201, 202]);
  });

  test("an end that is told twice is one", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.ended(200, 0);
    tree.ended(200, 5_000);
    tree.ended(8, 0);
    expect(tree.living).toBe(0);
    tree.passed(10_000);
    expect(tree.of(200)).toBeNull();
  });

  test("a number that is used again is of who has it now, once all of the first one was read", () => {
    const tree = new FamilyTree(own);
    for (const pid of [200, 300]) {
      tree.forked(own, pid);
      tree.ended(pid, 0);
    }
    tree.passed(1);
    tree.forked(foreign, 200);
    tree.forked(own, 400);
    tree.forked(400, 300);
    expect([tree.of(200), tree.of(300)]).toEqual([null, 400]);
  });

  test("a number that is used again too soon is of nobody knows whom, and so are its children", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.ended(200, 0);
    tree.forked(foreign, 200);
    tree.forked(200, 201);
    expect([tree.of(200), tree.of(201)]).toEqual([unknownFamily, unknownFamily]);
  });

  test("execve(2) by another thread than the first is no end", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200);
    tree.ended(200, 0);
    tree.executed(200);
    tree.passed(20_000);
    expect(tree.of(200)).toBe(200);
    expect(tree.living).toBe(1);
  });

  test("what was lost is learned from what runs", () => {
    const tree = new FamilyTree(own);
    tree.forked(own, 200); // its end was lost
    tree.forked(own, 300);
    const parents: [number, number][] = [
      [1, 0],
      [own, 1],
      [300, own],
      [303, 302], // told before its parent
      [302, 300],
      [400, own],
      [401, 400],
      [foreign, 1],
      [8, foreign],
    ];
    tree.learn(new Map(parents), 0);
    expect([300, 302, 303, 400, 401].map((pid) => tree.of(pid))).toEqual([300, 300, 300, 400, 400]);
    expect([own, foreign, 8, 1].map((pid) => tree.of(pid))).toEqual([null, null, null, null]);
    expect(tree.living).toBe(5);
    tree.passed(10_000);
    expect(tree.of(200)).toBeNull();
  });
});
