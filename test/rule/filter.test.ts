/** What filters let through, asked as the reader asks them. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { type Filter, RuleFilter } from "../../src/rule/filter.ts";
import { filterTexts, leftOutText } from "../../src/rule/filter-text.ts";
import { type FileFacts, noDisk, type Subject } from "../../src/rule/subject.ts";

const root = "/srv/in/";

/** @param path below /srv/in; with a slash at its end it is a directory */
function subjectOf(path: string, facts: FileFacts | null = null): Subject {
  const isDirectory = path.endsWith("/");
  const whole = root + path.replace(/\/$/, "");
  const cut = whole.lastIndexOf("/") + 1;
  return {
    directory: { raw: utf8(whole.slice(0, cut)) },
    rootLength: root.length,
    name: utf8(whole.slice(cut)),
    isDirectory,
    isOfWatch: false,
    facts,
  };
}

/** Null if it is let through. */
function leftOut(filter: Filter, subject: Subject): string | null {
  const compiled = new RuleFilter(filter, noDisk);
  const reason = compiled.judgeName(subject) ?? compiled.judgeState(subject);
  return reason === null ? null : leftOutText(reason, filter);
}

const all = (...patterns: string[]) => patterns.map(utf8);

describe("include and exclude", () => {
  const filter = { include: all("*.csv", "kept/"), exclude: all("*.part", "tmp", "/old/*.csv") };
  const noInclude = 'include: it is not "*.csv" or "kept/"';

  test.each([
    ["a.csv", null],
    ["x/y/a.csv", null],
    ["a.txt", noInclude],
    ["kept/a.txt", null],
    ["x/kept/y/a.txt", null],
    ["kept", noInclude],
    ["a.csv/", null],
    ["a.csv/b", noInclude],
    ["kept/a.part", 'exclude "*.part"'],
    ["tmp/a.csv", 'exclude "tmp"'],
    ["x/tmp/y/a.csv", 'exclude "tmp"'],
    ["a.part/b.csv", 'exclude "*.part"'],
    ["old/a.csv", 'exclude "/old/*.csv"'],
    ["x/old/a.csv", null],
  ] as const)("%s: %j", (path, expected) => {
    expect(leftOut(filter, subjectOf(path))).toBe(expected);
  });

  test("do not speak of the end of the watched directory itself", () => {
    expect(leftOut(filter, { ...subjectOf("x/"), isOfWatch: true })).toBeNull();
  });

  test("say of a directory whether anything in it can be wanted", () => {
    const compiled = new RuleFilter(filter, noDisk);
    const { directory } = subjectOf("x/y");
    const excludes = (name: string) => compiled.excludesAllIn(directory, root.length, utf8(name));
    expect(excludes("tmp")).toBe(true);
    expect(excludes("a.part")).toBe(true);
    expect(excludes("a.txt")).toBe(false);
    const below = subjectOf("x/tmp/z/q").directory;
    expect(compiled.excludesAllIn(below, root.length, utf8("a"))).toBe(true);
  });
});

const file = (size = 0): FileFacts => ({ type: "file", size });

describe("type", () => {
  test.each([
    [["file"], "a", file(), true],
    [["file"], "a", { type: "symlink", size: 1 }, false],
    [["file"], "a", { type: "other", size: 0 }, false],
    [["file"], "a", null, true],
    [["symlink"], "a", null, true],
    [["symlink"], "a", { type: "dir", size: 0 }, true], // another one by now
    [["file"], "a/", null, false],
    [["dir"], "a/", null, true],
    [["dir"], "a", null, false],
    [["dir"], "a", file(), false],
    [["dir", "symlink"], "a", file(), false],
  ] as const)("%j of %s, which is %j: %j", (types, path, facts, isLetThrough) => {
    expect(leftOut({ types }, subjectOf(path, facts)) === null).toBe(isLetThrough);
  });
});

describe("bounds of a size", () => {
  const filter = { minSize: 1000, maxSize: 2048 };

  test.each([
    ["a", file(999), "min_size: it is smaller than 1 kB"],
    ["a", file(1000), null],
    ["a", file(2048), null],
    ["a", file(2049), "max_size: it is larger than 2 KiB"],
    ["a", null, null],
    ["a", { type: "symlink", size: 1500 } as const, "min_size: only files have a size"],
    ["a/", null, "min_size: only files have a size"],
  ] as const)("%s, which is %j: %j", (path, facts, expected) => {
    expect(leftOut(filter, subjectOf(path, facts))).toBe(expected);
  });
});

test("a filter is told in words", () => {
  const filter: Filter = {
    include: all("*.csv", "*.tsv"),
    exclude: all(".*"),
    types: ["file", "symlink"],
    minSize: 1,
    maxSize: 1024,
    ignoreFiles: all(".gitignore"),
  };
  expect(filterTexts(filter)).toEqual([
    'only "*.csv" or "*.tsv"',
    'not ".*"',
    "only files or symbolic links",
    "only files of at least 1 B",
    "only files of at most 1 KiB",
    'not what ".gitignore" ignores',
  ]);
});
