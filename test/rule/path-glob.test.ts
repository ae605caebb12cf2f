/** Patterns of include and exclude: what they match, and that bash's globstar finds the same. */
import { describe, expect, test } from "bun:test";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { PathGlob } from "../../src/rule/path-glob.ts";
import { randomNumbers, seedOf } from "../config/random.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** @param path below the watch; a slash at its end makes it a directory */
function matches(pattern: string, path: string): boolean {
  return PathGlob.ofRule(utf8(pattern)).matches(...place(path));
}

function place(path: string): Parameters<PathGlob["matches"]> {
  const isDirectory = path.endsWith("/");
  const names = path.split("/").filter((name) => name !== "");
  const name = utf8(names.pop()!);
  return [{ names: names.map(utf8), from: 0, to: names.length, name }, isDirectory];
}

describe("PathGlob", () => {
  test.each([
    ["*.csv", "a.csv", true],
    ["*.csv", "in/deep/a.csv", true],
    ["*.csv", ".csv", true],
    ["*", ".hidden", true],
    ["?x", "éx", true],
    ["a", "a/b", false],
    ["/*.csv", "a.csv", true],
    ["/*.csv", "in/a.csv", false],
    ["in/*.csv", "in/a.csv", true],
    ["in/*.csv", "x/in/a.csv", false],
    ["in/*.csv", "in/x/a.csv", false],
    ["in/**/*.csv", "in/a.csv", true],
    ["in/**/*.csv", "in/x/y/a.csv", true],
    ["**/in/*.csv", "in/a.csv", true],
    ["**/in/*.csv", "x/in/a.csv", true],
    ["in/**", "in/", false],
    ["in/**", "in/a/b", true],
    ["**/a/**/b/**/c", "a/b/a/x/b/y/z/c", true],
    ["**/a/**/b", "x/a", false],
    ["**", "a/b", true],
    ["a**b", "axxb", true],
    ["x/a**b", "x/a/b", false],
    ["node_modules/", "x/node_modules/", true],
    ["node_modules/", "x/node_modules", false],
    ["x/y/", "x/y/", true],
    ["{a,b/c}", "x/a", true],
    ["{a,b/c}", "b/c", true],
    ["{a,b/c}", "x/b/c", false],
    ["{src,docs}/*.md", "docs/a.md", true],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["in//*.csv", "in/a.csv", true],
    ["[a-c].txt", "b.txt", true],
    ["x/[!a]", "x/b", true],
    ["x/[!a]", "x/a", false],
  ] as const)("%j and %j: %j", (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  test("needs no time that grows with a power of its asterisks", () => {
    const start = performance.now();
    expect(matches(`${"**/a/".repeat(100)}b`, `${"a/".repeat(2000)}c`)).toBe(false);
    expect(matches(`x/${"*a".repeat(100)}*b`, `x/${"a".repeat(255)}`)).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000); // with a backtracking RegExp: for ever
  });

  test("compares bytes that are not UTF-8 for themselves", () => {
    const glob = PathGlob.ofRule(fromLatin1("*\xff"));
    expect(glob.matches({ names: [], from: 0, to: 0, name: fromLatin1("a\xff") }, false)).toBe(
      true,
    );
    expect(glob.matches({ names: [], from: 0, to: 0, name: utf8("aÿ") }, false)).toBe(false);
  });
});

describe("what bash's globstar finds", () => {
  requires({ tools: ["bash"] })("is what a pattern with a slash matches", () => {
    const random = randomNumbers(seedOf("path-glob"));
    const pick = (list: readonly string[]): string => list[random(list.length)]!;
    using dir = tempDir();
    const names = ["a", "b", "ab", ".a", "a.b", "ba"];
    const paths = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const depth = 1 + random(4);
      paths.add(Array.from({ length: depth }, () => pick(names)).join("/"));
    }
    const tree = [...paths].map((path) => `${path}/`).flatMap(allAbove);
    Bun.spawnSync(["mkdir", "-p", ...paths], { cwd: dir.path });
    const parts = ["a", "*", "?", "**", "*b", "a*", "[ab]", "[!a]*", ".*", "{a,b}", "*a*b"];
    for (let i = 0; i < 150; i++) {
      const count = 2 + random(3);
      const pattern = Array.from({ length: count }, () => pick(parts)).join("/");
      expect({ pattern, found: found(pattern, tree) }).toEqual({
        pattern,
        found: foundByBash(pattern, dir.path).filter((path) => tree.includes(path)),
      });
    }
  });
});

/** "a/b/" is in "a/". */
function allAbove(path: string): string[] {
  return [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1));
}

function found(pattern: string, tree: readonly string[]): string[] {
  return [...new Set(tree)].filter((path) => matches(pattern, path)).sort();
}

/** Braces without a wildcard give what is not there, too. `x/**` is x too for bash, and for git it is not. */
function foundByBash(pattern: string, cwd: string): string[] {
  const below = pattern.replace(/\*\*$/, "**/*");
  const script = `shopt -s globstar dotglob nullglob; printf '%s\\n' ${below}`;
  const { stdout } = Bun.spawnSync(["bash", "-c", script], { cwd, env: { LC_ALL: "C.UTF-8" } });
  const lines = latin1(stdout).split("\n");
  const entries = lines.filter((line) => line !== "" && !line.endsWith("/"));
  return [...new Set(entries.map((line) => `${line}/`))].sort(); // braces give some several times
}
