/** Debian's incrond and `facron --incron` on the same tables and the same files, side by side. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { requires } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const incronTest = requires({ root: "runs incrond", tools: ["incrond"] });

type Daemon = "incrond" | "facron";

interface Installation {
  readonly dir: TempDir;
  /** What the commands were called with, a line each. */
  readonly log: () => string[];
  /** Do something, and wait for so many more lines. */
  readonly act: (what: () => void, lines: number) => Promise<void>;
}

/** An installation with one table, in which DIR is its directory and REC writes its arguments down. */
async function installed(daemon: Daemon, table: string): Promise<Installation> {
  const dir = tempDir();
  for (const name of ["tables", "users", "run", "d", "e"]) dir.mkdir(name);
  const logFile = dir.write("log", "");
  // One write(2) with O_APPEND: lines of commands that run at once stay whole.
  dir.write("rec", `#!/bin/bash\nprintf '%s\\n' "$*" >> ${logFile}\n`, { mode: 0o755 });
  const text = table.replaceAll("DIR", dir.path).replaceAll("REC", dir.join("rec"));
  dir.write("tables/table", text);
  const conf = [
    `system_table_dir = ${dir.join("tables")}`,
    `user_table_dir = ${dir.join("users")}`,
    `allowed_users = ${dir.join("allow")}`,
    `denied_users = ${dir.join("deny")}`,
    `lockfile_dir = ${dir.join("run")}`,
  ];
  dir.write("incron.conf", `${conf.join("\n")}\n`);
  await start(daemon, dir);
  const log = (): string[] =>
    readFileSync(logFile, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  const act = async (what: () => void, lines: number): Promise<void> => {
    const before = log().length;
    what();
    await waitFor(() => log().length >= before + lines, {
      what: `${lines} more commands of ${daemon}`,
      state: () => log().join("\n"),
    });
  };
  return { dir, log, act };
}

async function start(daemon: Daemon, dir: TempDir): Promise<void> {
  const conf = dir.join("incron.conf");
  if (daemon === "facron") {
    await runBinary(["--incron", "--incron-conf", conf]).ready();
    return;
  }
  const child = Bun.spawn(["incrond", "-n", "-f", conf], { stdout: "ignore", stderr: "ignore" });
  atTestEnd(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  await waitFor(() => inotifyWatches(child.pid) >= 4, { what: "incrond to watch" });
}

/** Its two table directories, and those of the table. */
function inotifyWatches(pid: number): number {
  const fds = Bun.spawnSync([
    "sh",
    "-c",
    `cat /proc/${pid}/fdinfo/* 2>/dev/null`,
  ]).stdout.toString();
  return fds.match(/^inotify wd:/gm)?.length ?? 0;
}

describe("what incron does, facron does", () => {
  const table = [
    "DIR/d IN_CLOSE_WRITE,IN_MOVED_TO,IN_MOVED_FROM,IN_DELETE,recursive=false REC first $@ $# $% $&",
    "DIR/e 256 REC created $@/$# && REC second $#; REC third '$#' | cat",
    "",
  ].join("\n");

  async function recorded(daemon: Daemon): Promise<string[]> {
    const { dir, log, act } = await installed(daemon, table);
    await act(() => writeFileSync(dir.join("d/a"), "text"), 1);
    await act(() => renameSync(dir.join("d/a"), dir.join("d/b")), 2);
    await act(() => rmSync(dir.join("d/b")), 1);
    await act(() => writeFileSync(dir.join("e/x.csv"), ""), 3);
    await act(() => writeFileSync(dir.join("d/again"), ""), 1);
    return log().map((line) => line.replaceAll(dir.path, "DIR"));
  }

  incronTest("the same commands with the same arguments in the same order", async () => {
    const theirs = await recorded("incrond");
    const ours = await recorded("facron");
    expect(sorted(ours)).toEqual(sorted(theirs));
    expect(ours).toContain("first DIR/d again IN_CLOSE_WRITE 8");
  });
});

/** The two sides of a rename are two commands that run at once: either may write first. */
function sorted(lines: readonly string[]): string[] {
  const isSide = (line: string): boolean => line.includes("IN_MOVED_");
  return lines.map((line, at) => {
    const pair = [lines[at - 1] ?? "", line, lines[at + 1] ?? ""].filter(isSide).sort();
    return isSide(line) ? pair.join(" + ") : line;
  });
}

describe("what incron gets wrong, facron gets right:", () => {
  incronTest("two lines on one path", async () => {
    const { dir, log, act } = await installed(
      "facron",
      "DIR/d IN_CREATE REC one $#\nDIR/d IN_CREATE REC two $#\n",
    );
    await act(() => writeFileSync(dir.join("d/f"), ""), 2);
    expect(log().sort()).toEqual(["one f", "two f"]);
  });

  incronTest("a path with blanks", async () => {
    const { dir, log, act } = await installed(
      "facron",
      'DIR/with\\ blanks IN_CREATE REC $@/$#\n"DIR/with quotes" IN_CREATE REC $@/$#\n',
    );
    dir.mkdir("with blanks");
    dir.mkdir("with quotes");
    await act(() => writeFileSync(dir.join("with blanks/f"), ""), 1);
    await act(() => writeFileSync(dir.join("with quotes/g"), ""), 1);
    expect(log()).toEqual([dir.join("with blanks/f"), dir.join("with quotes/g")]);
  });

  incronTest("mkdir -p a/b/c/d, and a file in it at once", async () => {
    const { dir, log, act } = await installed(
      "facron",
      "DIR/d IN_CREATE,IN_CLOSE_WRITE REC $% $@/$#\n",
    );
    await act(() => {
      mkdirSync(dir.join("d/a/b/c/d"), { recursive: true });
      writeFileSync(dir.join("d/a/b/c/d/f"), "text");
    }, 6);
    const lines = log().map((line) => line.replace(`${dir.path}/`, ""));
    expect(lines.sort()).toEqual([
      "IN_CLOSE_WRITE d/a/b/c/d/f",
      "IN_CREATE d/a/b/c/d/f",
      "IN_CREATE,IN_ISDIR d/a",
      "IN_CREATE,IN_ISDIR d/a/b",
      "IN_CREATE,IN_ISDIR d/a/b/c",
      "IN_CREATE,IN_ISDIR d/a/b/c/d",
    ]);
  });

  incronTest("a file that is replaced by rename", async () => {
    const { dir, log, act } = await installed("facron", "DIR/e/conf IN_CLOSE_WRITE REC $@\n");
    const replace = (): void => {
      writeFileSync(dir.join("e/new"), "text");
      renameSync(dir.join("e/new"), dir.join("e/conf"));
    };
    await act(replace, 1);
    await act(replace, 1);
    await act(() => writeFileSync(dir.join("e/conf"), "more"), 1);
    expect(log()).toEqual(Array(3).fill(dir.join("e/conf")));
  });

  incronTest("a name that would like to be a command", async () => {
    const { dir, log, act } = await installed(
      "facron",
      "DIR/d IN_CREATE cd DIR/e && REC $@/$# | cat\n",
    );
    await act(() => writeFileSync(dir.join("d/; touch pwned"), ""), 1);
    expect(log()).toEqual([dir.join("d/; touch pwned")]);
    expect(existsSync(dir.join("e/pwned"))).toBe(false);
  });

  incronTest(
    "a table that is saved while it runs: no event is lost, and the new lines count",
    async () => {
      const { dir, log, act } = await installed("facron", "DIR/d IN_CREATE REC old $#\n");
      await act(() => writeFileSync(dir.join("d/1"), ""), 1);
      const table = readFileSync(dir.join("tables/table"), "utf8");
      writeFileSync(dir.join("tables/table.new~"), table.replace("old", "new"));
      renameSync(dir.join("tables/table.new~"), dir.join("tables/table"));
      await waitFor(
        () => {
          writeFileSync(dir.join(`d/${log().length}-${performance.now()}`), "");
          return log().some((line) => line.startsWith("new "));
        },
        { what: "the new table" },
      );
    },
  );
});
