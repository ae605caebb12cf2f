/** The same tables and the same happenings under Debian's incrond and under facron. */
import { afterEach, expect } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { findTool, requires } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { childrenOf, linesOf } from "./support.ts";

const compareTest = requires({ root: "incrond is for root alone", tools: ["incrond"] });

type Daemon = "incrond" | "facron";

/** What happens, and how many commands have to come of it. */
interface Step {
  readonly act: (at: (name: string) => string) => void;
  readonly runs: number;
}

/**
 * DIR/w and DIR/x to watch, and DIR/log, which appends its arguments to DIR/ran by one write(2); "DIR"
 * in a table is the directory. The paths are the same for both daemons.
 */
function installation(dir: TempDir, table: string): string {
  rmSync(dir.path, { recursive: true });
  for (const name of ["w", "x", "tables", "spool", "lock"]) dir.mkdir(name);
  dir.write("x/file", "x");
  dir.script("log", `printf '%s\\n' "$(printf '[%s]' "$@")" >>${dir.join("ran")}`);
  dir.write("tables/table", table.replaceAll("DIR", dir.path));
  return dir.write(
    "incron.conf",
    `system_table_dir = ${dir.join("tables")}
user_table_dir = ${dir.join("spool")}
allowed_users = ${dir.join("allow")}
denied_users = ${dir.join("deny")}
lockfile_dir = ${dir.join("lock")}
lockfile_name = incrond
`,
  );
}

const running: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const daemon of running.splice(0)) {
    daemon.kill("SIGKILL");
    await daemon.exited;
  }
});

interface Running {
  /** No command runs: what happens then may be its own doing, as inotify does not say whose it is. */
  readonly isIdle: () => boolean;
  readonly stop: () => Promise<void>;
}

/** Ready once its watches are set. */
async function startDaemon(which: Daemon, conf: string, dir: TempDir): Promise<Running> {
  if (which === "facron") {
    const facron = await runBinary(["--incron-conf", conf]).ready();
    return {
      isIdle: () => childrenOf(facron.pid).length === 0,
      stop: async () => void (await facron.stop()),
    };
  }
  const options = { cwd: "/", stdout: "ignore", stderr: "ignore", stdin: "ignore" } as const;
  const daemon = Bun.spawn([findTool("incrond")!, "-n", "-f", conf], options);
  running.push(daemon);
  await waitFor(() => watchesOf(daemon.pid) > 2, {
    what: "incrond's watches",
    state: () => dir.path,
  });
  const stop = async () => {
    daemon.kill("SIGTERM");
    await daemon.exited;
  };
  return { isIdle: () => true, stop };
}

/** Those on the two directories of tables are there first. */
function watchesOf(pid: number): number {
  const { stdout } = Bun.spawnSync(["sh", "-c", `cat /proc/${pid}/fdinfo/*`]);
  return stdout.toString().match(/^inotify /gm)?.length ?? 0;
}

/** What each step has run, sorted: of two records at once, no daemon says which command writes first. */
async function runsUnder(
  which: Daemon,
  dir: TempDir,
  { table, steps }: { readonly table: string; readonly steps: readonly Step[] },
): Promise<string[][]> {
  const conf = installation(dir, table);
  const { isIdle, stop } = await startDaemon(which, conf, dir);
  const ran = dir.join("ran");
  const results: string[][] = [];
  let before = 0;
  for (const { act, runs } of steps) {
    act((name) => dir.join(name));
    const enough = () => linesOf(ran).length >= before + runs && isIdle();
    await waitFor(enough, {
      what: `${runs} runs of step ${results.length + 1} under ${which}`,
      state: () => linesOf(ran).join("\n"),
    });
    results.push(linesOf(ran).slice(before).sort());
    before = linesOf(ran).length;
  }
  await stop();
  return results;
}

const example = {
  table: `DIR/w IN_CREATE,IN_CLOSE_WRITE,IN_DELETE,IN_MOVE,recursive=false DIR/log $@ $# $% $& $@/$# "<$%>" $$x
DIR/x/file IN_ATTRIB,IN_CLOSE_WRITE,IN_MOVE_SELF,recursive=false DIR/log self $@/$# $% && DIR/log again $$(basename $@) | cat
DIR/x 576,recursive=false f=$@/$#; DIR/log x$# $$\{f##*/} $& '$%' > /dev/null
`,
  // "a" is the watched file by another name, so what happens to it happens to both.
  steps: [
    { act: (at) => mkdirSync(at("w/directory")), runs: 1 },
    { act: (at) => linkSync(at("x/file"), at("w/a")), runs: 3 },
    { act: (at) => appendFileSync(at("w/a"), "more"), runs: 3 },
    { act: (at) => renameSync(at("w/a"), at("w/b")), runs: 4 },
    { act: (at) => renameSync(at("w/b"), at("gone")), runs: 3 },
    { act: (at) => chmodSync(at("gone"), 0o600), runs: 2 },
    { act: (at) => renameSync(at("gone"), at("w/a,b=c")), runs: 3 },
    { act: (at) => rmSync(at("w/directory"), { recursive: true }), runs: 1 },
    { act: (at) => writeFileSync(at("w/name with blanks"), ""), runs: 2 },
    { act: (at) => renameSync(at("x/file"), at("moved")), runs: 3 },
  ] satisfies Step[],
};

compareTest(
  "facron runs what incrond runs, with the same arguments in the same order",
  async () => {
    using dir = tempDir();
    const incrond = await runsUnder("incrond", dir, example);
    const facron = await runsUnder("facron", dir, example);
    expect(incrond.flat().length).toBe(example.steps.reduce((sum, { runs }) => sum + runs, 0));
    expect(facron).toEqual(incrond);
  },
  120_000,
);

/** What incron gets wrong, and where it has to be given the time to do so. */
const hard = {
  table: `DIR/w IN_CLOSE_WRITE DIR/log one $@/$#
DIR/w IN_CLOSE_WRITE DIR/log two $@/$#
DIR/my\\ files IN_CLOSE_WRITE DIR/log blanks $@/$#
DIR/x/file IN_CLOSE_WRITE,recursive=false DIR/log replaced $@ $%
DIR/x IN_MOVED_TO,recursive=false cd DIR; DIR/log name $#
`,
};

compareTest(
  "facron runs what incrond does not, and does not run a file's name",
  async () => {
    using dir = tempDir();
    const at = (name: string) => dir.join(name);
    const facron = await runsUnder("facron", dir, {
      table: hard.table,
      steps: [
        { act: () => writeFileSync(at("w/a"), ""), runs: 2 },
        {
          act: () => {
            mkdirSync(at("my files"));
            writeFileSync(at("my files/a b"), "");
          },
          runs: 1,
        },
        {
          act: () => {
            mkdirSync(at("w/a1/b/c/d"), { recursive: true });
            writeFileSync(at("w/a1/b/c/d/f"), "");
          },
          runs: 2,
        },
        { act: () => renameOver(at("x/file")), runs: 2 },
        { act: () => appendFileSync(at("x/file"), "more"), runs: 1 },
        { act: () => renameSync(dir.write("new"), at("x/;touch${IFS}pwned")), runs: 1 },
      ],
    });
    const named = (lines: readonly string[][]) =>
      lines.map((one) => one.map((text) => text.replaceAll(dir.path, "DIR")));
    expect(named(facron)).toEqual([
      ["[one][DIR/w/a]", "[two][DIR/w/a]"],
      ["[blanks][DIR/my files/a b]"],
      ["[one][DIR/w/a1/b/c/d/f]", "[two][DIR/w/a1/b/c/d/f]"],
      ["[name][file]", "[replaced][DIR/x/file][IN_CLOSE_WRITE]"],
      ["[replaced][DIR/x/file][IN_CLOSE_WRITE]"],
      ["[name][;touch${IFS}pwned]"],
    ]);
    expect(existsSync(at("pwned"))).toBe(false);

    const incrond = await runsUnder("incrond", dir, {
      table: hard.table.replace(/.*my\\.*\n/, ""), // it takes that line for one with another mask
      steps: [
        { act: () => writeFileSync(at("w/a"), ""), runs: 1 },
        { act: () => renameSync(dir.write("new"), at("x/;touch${IFS}pwned")), runs: 1 },
        // Its watch ends, and it runs the command for that.
        { act: () => renameOver(at("x/file")), runs: 2 },
        {
          act: () => {
            appendFileSync(at("x/file"), "more");
            renameSync(dir.write("new"), at("x/mark"));
          },
          runs: 1,
        },
      ],
    });
    expect(named(incrond)).toEqual([
      ["[one][DIR/w/a]"],
      ["[name]"],
      ["[name][file]", "[replaced][DIR/x/file][IN_IGNORED]"],
      ["[name][mark]"],
    ]);
    expect(existsSync(at("pwned"))).toBe(true);
  },
  120_000,
);

function renameOver(path: string): void {
  const other = join(path, "../..", "other");
  writeFileSync(other, "new");
  renameSync(other, path);
}
