/** Patterns match what bash matches, on bytes. */
import { describe, expect, test } from "bun:test";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { componentsOf, NameFilter } from "../../src/rule/glob.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const names = [
  ...[
    "a",
    "ab",
    "abc",
    "b",
    "a.csv",
    "b.csv",
    "A.csv",
    ".hidden",
    ".a.csv",
    "*",
    "?",
    "[a]",
    "{a,b}",
  ],
  ...["a b", "a\nb", "ä", "日本", "a\\b", "]", "-", "x{y", "a,b"],
];

const patterns = [
  ...[
    "*",
    "?",
    "??",
    "a*",
    "*.csv",
    "[ab].csv",
    "[!a]*",
    "[^a]*",
    "[a-c]",
    "{a,b}.csv",
    "a{,b,bc}",
    ".*",
  ],
  ...[
    "\\*",
    "\\?",
    "\\[a\\]",
    "[a]",
    "[]a]",
    "[a-]",
    "*[.]csv",
    "a?b",
    "[[]a]",
    "x\\{y",
    "{a,b}*",
    "*{b,c}",
  ],
];

function matching(pattern: string, all: readonly string[]): string[] {
  const [component] = componentsOf(utf8(`/${pattern}`));
  if (component === undefined) return [];
  const matches = (name: string): boolean =>
    "literal" in component
      ? latin1(component.literal) === latin1(utf8(name))
      : new NameFilter(component.pattern).matches(utf8(name));
  return all.filter(matches);
}

describe("a pattern matches the names that bash finds:", () => {
  const dir = tempDir();
  for (const name of names) dir.write(name, "");
  test.each(patterns)("%s", (pattern) => {
    // Twice the pattern, and a name twice: what braces name need not be there.
    const script = `shopt -s nullglob; for f in ${pattern}; do [ -e "$f" ] && printf '%s\\0' "$f"; done; true`;
    const found = Bun.spawnSync(["bash", "-c", script], {
      cwd: dir.path,
      env: { LC_ALL: "C.UTF-8" },
    });
    const expected = found.stdout
      .toString()
      .split("\0")
      .slice(0, -1)
      .filter((name) => name !== "." && name !== "..");
    expect(matching(pattern, names).sort()).toEqual([...new Set(expected)].sort());
  });
});

test("? is one character, or one byte that belongs to none", () => {
  const [component] = componentsOf(utf8("/?"));
  const { pattern } = component as { pattern: RegExp };
  const filter = new NameFilter(pattern);
  expect(["é", "日", "xy"].map((name) => filter.matches(utf8(name)))).toEqual([true, true, false]);
  expect(filter.matches(fromLatin1("\xff"))).toBe(true);
});

test("a path keeps its literal components, without their backslashes", () => {
  const components = componentsOf(utf8("/srv/a\\*b/*.csv"));
  expect(components.map((one) => ("literal" in one ? latin1(one.literal) : "pattern"))).toEqual([
    "srv",
    "a*b",
    "pattern",
  ]);
});
