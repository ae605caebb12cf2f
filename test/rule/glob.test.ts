/** Patterns, on names as bytes; bash says what they have to match. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { WatchError } from "../../src/errors.ts";
import { alternativesMax, alternativesOf } from "../../src/rule/glob-braces.ts";
import { codePointsOf } from "../../src/rule/glob-characters.ts";
import { componentsOf } from "../../src/rule/glob.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Both one char for one byte. */
function matches(pattern: string, name: string): boolean {
  const [component] = componentsOf(fromLatin1(`/${pattern}`));
  if ("literal" in component!) return latin1(component.literal) === name;
  return component!.pattern.matches(fromLatin1(name));
}

const bytesOf = (text: string) => latin1(utf8(text));

describe("componentsOf", () => {
  test("tells components with wildcards from those that mean themselves", () => {
    const components = componentsOf(utf8("/srv/*/in/a\\*b/[x/{a}/{a,b}/?"));
    const told = components.map((one) => {
      return "literal" in one ? latin1(one.literal) : `pattern ${one.pattern.key}`;
    });
    const [star, braces, question] = ["pattern *", "pattern {a,b}", "pattern ?"] as const;
    expect(told).toEqual(["srv", star, "in", "a*b", "[x", "{a}", braces, question]);
  });

  test("leaves a backslash at the end and bytes that are not UTF-8 as they are", () => {
    const [first, second] = componentsOf(fromLatin1("/\xff\\*/a\\"));
    expect(first).toEqual({ literal: fromLatin1("\xff*") });
    expect(second).toEqual({ literal: fromLatin1("a\\") });
  });
});

describe("NamePattern", () => {
  test.each([
    ["*", ".a", false],
    ["?a", ".a", false],
    ["[.]a", ".a", false],
    ["[!x]a", ".a", false],
    ["{*,x}", ".a", false],
    [".*", ".a", true],
    ["{.a,x}*", ".a", true],
    ["*.csv", "a.csv", true],
    ["*.csv", ".csv", false],
    ["*.csv", "a.csv.part", false],
    ["*a*b*", "xxaxxbxx", true],
    ["*ab", "aab", true],
    ["a*b?c", "axxbxbyc", true],
    ["a\\*b*", "a*bc", true],
    ["a\\*b*", "axbc", false],
    ["*\n*", "a\nb", true],
    ["?", bytesOf("é"), true],
    ["?", bytesOf("😀"), true],
    ["??", bytesOf("é"), false],
    ["?", "\xff", true],
    ["??", "\xe9\xff", true],
    [bytesOf("[à-ü]"), bytesOf("é"), true],
    [bytesOf("[!é]"), bytesOf("é"), false],
    [bytesOf("*é"), bytesOf("caféé"), true],
    ["*\xff", "a\xff", true],
    ["[]x]*", "]", true],
    ["[!]x]*", "]", false],
    ["[a-]", "-", true],
    ["[\\]]", "]", true],
    ["[z-a]", "m", false],
    ["[[:digit:]-]x", "5x", true],
    ["[[:digit:]-]x", "-x", true],
    ["[[:nothing:]]", "n", false],
    ["{a,{b,c}d}*", "cd", true],
    ["{,a}b*", "b", true],
    ["{a,b", "{a,b", true],
    ["a{b,c}{d,e}?", "acex", true],
  ] as const)("%j and %j: %j", (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  test("needs no time that grows with a power of its asterisks", () => {
    const start = performance.now();
    expect(matches(`${"*a".repeat(100)}*b`, "a".repeat(255))).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000); // with a backtracking RegExp: for ever
  });
});

describe("alternativesOf", () => {
  test.each([
    ["a", ["a"]],
    ["{a}", ["{a}"]],
    ["{}", ["{}"]],
    ["{a,b}", ["a", "b"]],
    ["x{a,b}y{c,d}", ["xayc", "xayd", "xbyc", "xbyd"]],
    ["{a,{b,c}}", ["a", "b", "c"]],
    ["{{a,b}}", ["{a}", "{b}"]],
    ["{a,b", ["{a,b"]],
    ["\\{a,b}", ["\\{a,b}"]],
    ["{a\\,b,c}", ["a\\,b", "c"]],
    ["{{a,b},", ["{a,", "{b,"]],
  ])("%j", (text, expected) => {
    expect(alternativesOf(text)).toEqual(expected);
  });

  test("refuses what would be compared with more than 1024 names", () => {
    expect(alternativesOf("{a,b}".repeat(10))).toHaveLength(alternativesMax);
    expect(() => alternativesOf("{a,b}".repeat(11))).toThrow(WatchError);
    expect(() => alternativesOf("{a,b}".repeat(500))).toThrow(WatchError);
  });
});

describe("codePointsOf", () => {
  test("gives the characters of UTF-8, and stray bytes for themselves", () => {
    const text = "aé€😀";
    expect(Array.from(codePointsOf(utf8(text)))).toEqual([...text].map((c) => c.codePointAt(0)!));
    // Overlong, a surrogate, too large, cut short, alone.
    for (const stray of [
      "\xc0\xaf",
      "\xed\xa0\x80",
      "\xf5\x80\x80\x80",
      "\xe2\x82",
      "\x80",
      "\xe0\x80\x80",
    ]) {
      const expected = [...fromLatin1(stray)].map((byte) => 0xdc00 + byte);
      expect(Array.from(codePointsOf(fromLatin1(stray)))).toEqual(expected);
    }
  });
});

describe("a directory of odd names", () => {
  const names = [
    "a",
    "b",
    "ab",
    "abc",
    "a.csv",
    "b.csv",
    ".csv",
    ".hidden",
    "..x",
    "A",
    "Z",
    "0",
    "9",
    "-",
    "]",
  ]
    .concat([
      "[",
      "[a",
      "[a]",
      "a]",
      "!",
      "^",
      "a*b",
      "a?b",
      "a\\b",
      "{a}",
      "{a,b}",
      "a,b",
      "a b",
      "a\nb",
      " ",
    ])
    .concat(["é", "éa", "ü", "€", "😀", "日本"].map(bytesOf))
    .concat(["\xff", "a\xff", "\xe9t\xe9", "\x80\x81"]);
  const patterns = [
    "*",
    "?",
    "??",
    "???",
    "*.csv",
    "*a*",
    "a*",
    "*b",
    "[ab]",
    "[!ab]",
    "[^ab]*",
    "[a-z]",
    "[A-Z]",
  ]
    .concat([
      "[0-9]",
      "[a-]",
      "[-a]",
      "[]]",
      "[]a]",
      "[!]a]*",
      "[[]",
      "[[]*",
      "[\\]]",
      "[a\\]]",
      "[z-a]",
      "[[:digit:]]",
    ])
    .concat([
      "[[:xdigit:][:blank:]]",
      "[[:blank:]]",
      "[[:space:]]",
      "a\\*b",
      "a\\?b",
      "a\\\\b",
      "\\*",
      "[*]",
      "a[*]b",
    ])
    .concat([
      "{a,b}",
      "{a,b}.csv",
      "{a,b}*",
      "{*.csv,[0-9]}",
      "{,a}b",
      "{a,{b,ab}c}",
      "{.,}csv",
      "{*,.*}",
      "\\{a*",
    ])
    .concat([
      ".*",
      ".[!.]*",
      "[.]*",
      "*[",
      "a[",
      "*[ ]*",
      "*\\ *",
      "{?,??}",
      "*,*",
      "a{,.csv}",
      "{a,b,",
    ])
    .concat(["?[é-ü]*", "[é]*", "[!é]", "é*", "*é", "[日-本]?", "?a"].map(bytesOf));

  requires({ tools: ["bash"] })("is matched as by bash", () => {
    const dir = tempDir();
    const utf8Names = names.filter((name) => !/^(\xff|a\xff|\xe9t\xe9|\x80\x81)$/.test(name));
    for (const name of utf8Names) writeFileSync(Buffer.from(`${dir.path}/${name}`, "latin1"), "");
    for (const pattern of patterns) {
      const expected = utf8Names.filter((name) => matches(pattern, name)).sort();
      expect({ pattern, names: bashMatches(dir.path, pattern) }).toEqual({
        pattern,
        names: expected,
      });
    }
  });

  requires({ tools: ["bash"] })("is matched as by bash, bytes that are no UTF-8 too", () => {
    const dir = tempDir();
    for (const name of names) writeFileSync(Buffer.from(`${dir.path}/${name}`, "latin1"), "");
    // Not "?": of a name that is not UTF-8 as a whole, bash takes each byte for a character.
    for (const pattern of ["*", "*a*", "a*", "\xff", "*\xff", "{\xff,a}", "\x80?", "[!a-z]*t*"]) {
      const expected = names.filter((name) => matches(pattern, name)).sort();
      expect({ pattern, names: bashMatches(dir.path, pattern) }).toEqual({
        pattern,
        names: expected,
      });
    }
  });
});

/** What bash makes of it that is there. A blank would end the word in bash, and not in a path of ours. */
function bashMatches(directory: string, pattern: string): string[] {
  const word = pattern.replaceAll("\n", "$'\\n'").replace(/(?<!\\)[ '!]/g, (char) => {
    return char === "!" ? char : `"${char}"`;
  });
  const script = `shopt -s nullglob; unset HISTFILE; for f in ${word}; do [ -e "$f" ] && printf '%s\\0' "$f"; done`;
  const file = `${directory}.sh`;
  writeFileSync(file, Buffer.from(script, "latin1"));
  const env = { LC_ALL: "C.UTF-8", PATH: process.env["PATH"] ?? "" };
  const { stdout } = Bun.spawnSync(["bash", file], { cwd: directory, env });
  Bun.spawnSync(["rm", file]);
  const found = latin1(stdout).split("\0").slice(0, -1);
  return [...new Set(found)].sort();
}
