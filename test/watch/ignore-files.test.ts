/** Ignore files on a real disk: what they leave out is what `git check-ignore` says of the same tree. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../ffi/bytes.ts";
import { type Filter, RuleFilter } from "../../src/rule/filter.ts";
import { leftOutText } from "../../src/rule/filter-text.ts";
import { RealDisk } from "../../src/watch/disk.ts";
import { ignoreFileBytesMax } from "../../src/watch/ignore-file.ts";
import { randomNumbers, seedOf } from "../config/random.ts";
import { requires } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

/** A rule that watches a directory. */
class Watch {
  readonly log: string[] = [];
  readonly #disk = new RealDisk({ warn: (text) => void this.log.push(text) });
  readonly #filter: Filter;
  readonly #compiled: RuleFilter;
  readonly #root: string;

  constructor(root: string, ...ignoreFiles: string[]) {
    this.#root = `${root}/`;
    this.#filter = { ignoreFiles: ignoreFiles.map(utf8) };
    this.#compiled = new RuleFilter(this.#filter, this.#disk);
  }

  /** @param path below the directory; with a slash at its end it is one itself. @returns null if it is let through */
  leftOut(path: string): string | null {
    this.#disk.moment++;
    const isDirectory = path.endsWith("/");
    const whole = Buffer.from(this.#root + (isDirectory ? path.slice(0, -1) : path));
    const cut = whole.lastIndexOf("/") + 1;
    const reason = this.#compiled.judgeName({
      directory: { raw: whole.subarray(0, cut) },
      rootLength: utf8(this.#root).length,
      name: whole.subarray(cut),
      isDirectory,
      isOfWatch: false,
      facts: null,
    });
    return reason === null ? null : leftOutText(reason, this.#filter).replace(this.#root, "");
  }
}

describe("an ignore file", () => {
  test("is followed from the next moment on when it comes, changes and goes", () => {
    using dir = tempDir();
    const watch = new Watch(dir.path, ".gitignore");
    expect(watch.leftOut("a.log")).toBeNull();
    dir.write(".gitignore", "*.log\n");
    expect(watch.leftOut("a.log")).toBe('ignore file .gitignore:1, "*.log"');
    dir.write(".gitignore", "*.txt\n"); // as long, and in the same tick of the clock
    expect(watch.leftOut("a.log")).toBeNull();
    expect(watch.leftOut("a.txt")).not.toBeNull();
    rmSync(dir.join(".gitignore"));
    expect(watch.leftOut("a.txt")).toBeNull();
    expect(watch.log).toEqual([]);
  });

  test("with a path is one for the rule, and yields to those in the directories", () => {
    using dir = tempDir();
    using other = tempDir();
    const common = other.write("ignore", "*.log\n/top\n");
    mkdirSync(dir.join("a"));
    dir.write("a/.gitignore", "!kept.log\n");
    const watch = new Watch(dir.path, ".gitignore", common);
    expect(watch.leftOut("a/x.log")).toBe(`ignore file ${common}:1, "*.log"`);
    expect(watch.leftOut("a/kept.log")).toBeNull();
    expect(watch.leftOut("top")).not.toBeNull();
    expect(watch.leftOut("a/top")).toBeNull();
  });

  test("of a later name comes after that of an earlier one in the same directory", () => {
    using dir = tempDir();
    dir.write(".gitignore", "*.log\n");
    dir.write(".ignore", "!a.log\n");
    expect(new Watch(dir.path, ".gitignore", ".ignore").leftOut("a.log")).toBeNull();
    expect(new Watch(dir.path, ".ignore", ".gitignore").leftOut("a.log")).not.toBeNull();
  });

  test("that is a pipe, a directory or a symbolic link ignores nothing and stops nobody", () => {
    using dir = tempDir();
    const watch = new Watch(dir.path, ".gitignore");
    Bun.spawnSync(["mkfifo", dir.join(".gitignore")]);
    expect(watch.leftOut("a")).toBeNull();
    rmSync(dir.join(".gitignore"));
    mkdirSync(dir.join(".gitignore"));
    expect(watch.leftOut("a")).toBeNull();
    rmSync(dir.join(".gitignore"), { recursive: true });
    symlinkSync(dir.write("real", "a\n"), dir.join(".gitignore"));
    expect(watch.leftOut("a")).toBeNull();
    expect(watch.log).toEqual([]);
  });

  test("with a path may be a symbolic link", () => {
    using dir = tempDir();
    symlinkSync(dir.write("real", "a\n"), dir.join("link"));
    expect(new Watch(dir.path, dir.join("link")).leftOut("a")).not.toBeNull();
  });

  test("that is enormous is said once, and ignores nothing", () => {
    using dir = tempDir();
    const watch = new Watch(dir.path, ".gitignore");
    dir.write(".gitignore", "a\n".repeat(ignoreFileBytesMax / 2));
    expect(watch.leftOut("a")).not.toBeNull();
    dir.write(".gitignore", "a\n".repeat(ignoreFileBytesMax / 2 + 1));
    for (let i = 0; i < 3; i++) expect(watch.leftOut("a")).toBeNull();
    expect(watch.log).toEqual([
      `Cannot use the ignore file "${dir.join(".gitignore")}": it is longer than 256 KiB; make it shorter; it ignores nothing`,
    ]);
  });
});

const rounds = 40;

describe("git check-ignore", () => {
  requires({ tools: ["git"] })("says the same of every path of random trees", () => {
    const random = randomNumbers(seedOf("ignore-files"));
    for (let round = 0; round < rounds; round++) {
      using dir = tempDir();
      const tree = new RandomTree(dir, (below) => random(below));
      const watch = new Watch(dir.path, ".gitignore", dir.join(".git/info/exclude"));
      const theirs = ignoredByGit(dir.path, tree.paths);
      const differing = tree.paths.flatMap((path) => {
        const [ours, git = null] = [watch.leftOut(path), theirs.get(path)];
        return (ours === null) === (git === null) ? [] : [{ path, ours, git }];
      });
      expect(differing).toEqual([]);
    }
  });
});

/** By path: the line that git names. */
function ignoredByGit(cwd: string, paths: readonly string[]): Map<string, string> {
  const options = ["check-ignore", "--no-index", "-v", "-z", "--stdin"];
  const command = ["git", "-c", "core.excludesFile=/dev/null", ...options];
  const bare = new Map(paths.map((path) => [path.replace(/\/$/, ""), path]));
  const stdin = Buffer.from([...bare.keys()].map((path) => `${path}\0`).join(""));
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd, stdin, env });
  if (exitCode > 1) throw new Error(stderr.toString());
  const fields = stdout.toString().split("\0");
  const ignored = new Map<string, string>();
  for (let at = 0; at + 3 < fields.length; at += 4) {
    const [file, line, pattern, path] = fields.slice(at, at + 4) as [
      string,
      string,
      string,
      string,
    ];
    if (!pattern.startsWith("!")) ignored.set(bare.get(path)!, `${file}:${line} ${pattern}`);
  }
  return ignored;
}

const names = ["a", "b", "ab", ".a", "a.b", "foo", "[", "é", "a b", "!a", "#a"];
const parts = [
  ...["a", "b", "*", "?", "**", "*b", "a*", "a**b", "***", "[ab]", "[!a]*", "[^a]", "[a-", "[]a]"],
  ...[
    "[[:alpha:]]",
    "[[:alpha:]",
    "[[:bad:]]*",
    "[a/b]",
    "\\a",
    "a\\",
    "\\*",
    "é",
    "??",
    "foo",
    "a b",
  ],
  ...["[\\]a]", "[z-a]", "[a-b-]", ".*", "*.*", "fo[o]", "[[]", "\\[", "*o*"],
];

/** A repository with directories, files and ignore files. */
class RandomTree {
  /** Directories end in a slash. */
  readonly paths: string[] = [];
  readonly #random: (below: number) => number;

  constructor(dir: TempDir, random: (below: number) => number) {
    this.#random = random;
    Bun.spawnSync(["git", "init", "-q"], { cwd: dir.path });
    mkdirSync(dir.join(".git/info"), { recursive: true });
    this.#writeLines(dir.path, ".git/info/exclude");
    this.#fill(dir.path, "", 0);
  }

  #fill(root: string, directory: string, depth: number): void {
    if (depth === 0 || this.#random(3) === 0) this.#writeLines(root, `${directory}.gitignore`);
    const taken = new Set<string>();
    for (let i = 0; i < 5; i++) taken.add(this.#pick(names));
    for (const name of taken) {
      const path = directory + name;
      const isDirectory = depth < 4 && this.#random(2) === 0;
      this.paths.push(isDirectory ? `${path}/` : path);
      if (isDirectory) {
        mkdirSync(join(root, path));
        this.#fill(root, `${path}/`, depth + 1);
      } else writeFileSync(join(root, path), "");
    }
  }

  #writeLines(root: string, file: string): void {
    const lines = Array.from({ length: 1 + this.#random(6) }, () => this.#line());
    const text = (this.#random(8) === 0 ? "\ufeff" : "") + lines.join("\n");
    writeFileSync(join(root, file), text);
  }

  #line(): string {
    const count = 1 + this.#random(3);
    const pattern = Array.from({ length: count }, () => this.#pick(parts)).join("/");
    const before = this.#pick(["", "", "", "", "/", "!", "!", "!/", "\\!", "#", "\\#", "**/"]);
    const behind = this.#pick([
      "",
      "",
      "",
      "",
      "/",
      "/",
      " ",
      "  ",
      "\\ ",
      "\\  ",
      "\r",
      "/**",
      "//",
    ]);
    return before + pattern + behind;
  }

  #pick(list: readonly string[]): string {
    return list[this.#random(list.length)]!;
  }
}
