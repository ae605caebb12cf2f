/**
 * Commands that do what sets their rule off: incron's loop, and two rules that play ping-pong.
 *
 * By fanotify, where the kernel tells of processes, not one run is too many or missing. In a container,
 * where it does not, and on inotify, runs that are too many are counted, and the log has to say why.
 *
 * FACRON_PROOF_COUNT sets how often (100).
 */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { childrenOf, linesOf } from "../cli/support.ts";
import { report } from "../helpers/report.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { proofCount, proofTest, proofTimeoutMs } from "./proof.ts";

const tries = proofCount(100);

interface Way {
  readonly name: string;
  readonly backend: "fanotify" | "inotify";
  readonly isContainer: boolean;
  /** Not one run is too many. */
  readonly isExact: boolean;
}

const ways: readonly Way[] = [
  { name: "fanotify", backend: "fanotify", isContainer: false, isExact: true },
  { name: "fanotify in a container", backend: "fanotify", isContainer: true, isExact: false },
  { name: "inotify", backend: "inotify", isContainer: false, isExact: false },
];

const container = ["unshare", "-pf", "--mount-proc", binaryPath];

interface RuleText {
  readonly name: string;
  readonly watch: string;
  readonly shell: string;
}

async function facronWith(dir: TempDir, way: Way, ...rules: RuleText[]): Promise<RunningBinary> {
  const text = rules.map(
    ({ name, watch, shell }) =>
      `[[rule]]\nname = "${name}"\nwatch = "${watch}"\non = "close_write"\n` +
      `backend = "${way.backend}"\nshell = '''${shell}'''\n`,
  );
  const args = ["-c", dir.write("facron.toml", text.join(""))];
  return await runBinary(args, way.isContainer ? { command: container } : {}).ready();
}

/** It runs what it has heard of until then. */
async function end(facron: RunningBinary, { isContainer }: Way): Promise<void> {
  const [child] = isContainer ? childrenOf(facron.pid) : [];
  if (child === undefined) facron.signal("SIGTERM");
  else process.kill(child, "SIGTERM");
  await facron.exit(60_000);
}

/** What the command with this line in its place does to the file that it was called for. */
const acts: readonly [claim: string, shell: string][] = [
  ["itself", 'echo x >"$FACRON_PATH"'],
  ["by a child", `sh -c 'echo x >"$FACRON_PATH"'`],
  ["by an orphan", `sh -c 'sh -c "echo x >\\"\\$FACRON_PATH\\"" &' &`],
  ["by a daemon", `setsid -f sh -c 'setsid -f sh -c "echo x >\\"\\$FACRON_PATH\\""'`],
];

function countsOf(ran: readonly string[], expected: readonly string[]) {
  const left = [...ran];
  const lost = expected.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return { tries, wrong: left.length, lost: lost.length };
}

function judge(way: Way, what: string, counts: ReturnType<typeof countsOf>, log: string): void {
  report("loops", `${what}, ${way.name}`, counts);
  expect(counts.lost).toBe(0);
  if (way.isExact) {
    expect(counts.wrong).toBe(0);
    expect(log).not.toContain("a loop, 20 runs");
  }
  expect(log).toContain("passed over");
}

describe.each(ways)("$name:", (way) => {
  for (const [claim, act] of acts) {
    proofTest(
      `a command that rewrites the file it was called for, ${claim}`,
      async () => {
        const dir = tempDir();
        const [input, ran] = [dir.mkdir("in"), dir.join("ran")];
        const shell = `echo "$FACRON_PATH" >>${ran}; ${act}`;
        await using facron = await facronWith(dir, way, { name: "rewrite", watch: input, shell });
        const expected: string[] = [];
        for (let n = 0; n < tries; n++) {
          // Without knowing who did it, a write soon after the last command for that path is its own.
          const path = `${input}/file ${way.isExact ? n % 10 : n}`;
          writeFileSync(path, "");
          expected.push(path);
          await waitFor(() => linesOf(ran).length > n && linesOf(ran).includes(path), {
            what: `run ${n}`,
            state: () => facron.log,
          });
          await waitFor(() => readFileSync(path, "utf8") === "x\n", {
            what: `what run ${n} writes`,
          });
        }
        await end(facron, way);
        judge(way, `rewrites ${claim}`, countsOf(linesOf(ran), expected), facron.log);
      },
      proofTimeoutMs(tries),
    );
  }

  proofTest(
    "two rules that set each other off",
    async () => {
      const dir = tempDir();
      const [one, other, ran] = [dir.mkdir("one"), dir.mkdir("other"), dir.join("ran")];
      const shellTo = (to: string): string =>
        `echo "$FACRON_PATH" >>${ran}; echo x >"${to}/\${FACRON_PATH##*/}"`;
      await using facron = await facronWith(
        dir,
        way,
        { name: "ping", watch: one, shell: shellTo(other) },
        { name: "pong", watch: other, shell: shellTo(one) },
      );
      const expected: string[] = [];
      for (let n = 0; n < tries; n++) {
        const name = `file${n}`;
        writeFileSync(`${one}/${name}`, "");
        expected.push(`${one}/${name}`, `${other}/${name}`);
        const written = () =>
          existsSync(`${one}/${name}`) && readFileSync(`${one}/${name}`, "utf8");
        await waitFor(() => written() === "x\n", { what: `pong of ${n}`, state: () => facron.log });
      }
      await end(facron, way);
      const counts = countsOf(linesOf(ran), expected);
      if (way.isExact) return judge(way, "ping-pong", counts, facron.log);
      report("loops", `ping-pong, ${way.name}`, counts);
      expect(counts.lost).toBe(0);
      if (counts.wrong >= 40 * tries) expect(facron.log).toContain("a loop, 20 runs in 10 s");
    },
    proofTimeoutMs(tries * 10),
  );
});

proofTest(
  "fanotify: what a neighbour writes to the file while the command rewrites it fires",
  async () => {
    const dir = tempDir();
    const [input, ran] = [dir.mkdir("in"), dir.join("ran")];
    const shell =
      `echo "$FACRON_PATH" >>${ran}; echo x >"$FACRON_PATH"; ` +
      `until [ -e "${dir.path}/go\${FACRON_PATH##*/}" ]; do sleep 0.001; done; echo x >"$FACRON_PATH"`;
    const way = ways[0]!;
    await using facron = await facronWith(dir, way, { name: "rewrite", watch: input, shell });
    const expected: string[] = [];
    for (let n = 0; n < tries; n++) {
      const path = `${input}/f${n}`;
      writeFileSync(path, "");
      await waitFor(() => linesOf(ran).at(-1) === path, { what: `run ${n}` });
      await waitFor(() => readFileSync(path, "utf8") === "x\n", { what: `what run ${n} writes` });
      writeFileSync(path, "a neighbour was here\n");
      dir.write(`gof${n}`);
      expected.push(path, path);
      await waitFor(() => linesOf(ran).length >= expected.length, {
        what: `the neighbour's run ${n}`,
        state: () => facron.log,
      });
    }
    await end(facron, way);
    judge(way, "a neighbour's writes", countsOf(linesOf(ran), expected), facron.log);
  },
  proofTimeoutMs(tries),
);

proofTest("inotify: the loop of a daemon is found by the breaker, which names it", async () => {
  const dir = tempDir();
  const [input, ran] = [dir.mkdir("in"), dir.join("ran")];
  const act = `setsid -f sh -c 'sleep 0.05; echo x >"$FACRON_PATH"'`; // when all of the command is over
  const shell = `echo "$FACRON_PATH" >>${ran}; ${act}`;
  const way = ways.at(-1)!;
  await using facron = await facronWith(dir, way, { name: "rewrite", watch: input, shell });
  writeFileSync(`${input}/f`, "");
  const cycle = `rule "rewrite" -> rule "rewrite" on "${input}/f": a loop`;
  await waitFor(() => facron.log.includes(cycle), {
    what: "the breaker",
    deadlineMs: 30_000,
    state: () => facron.log,
  });
  report("loops", "a daemon's loop until the breaker, inotify", { runs: linesOf(ran).length });
  expect(linesOf(ran).length).toBeLessThan(50);
  writeFileSync(`${input}/g`, ""); // another path is none of it
  await waitFor(() => linesOf(ran).includes(`${input}/g`), { what: "another path" });
});
