/** At the kernel's limits: what can be watched is, and what is missing is said once, with the cure. */
import { describe, expect } from "bun:test";
import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { fileLimitOf, setSoftLimit } from "../../ffi/limits.ts";
import { openFilesText } from "../../src/open-files.ts";
import { limitText, sysctlValue } from "../../src/watch/limits.ts";
import { Quiet } from "../contract/quiet.ts";
import { requires } from "../helpers/requires.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { answerTo, by, nobody } from "./support.ts";

/** /proc/sys/user: each user namespace has limits of its own, so nobody else meets those of a test. */
type Limits = Readonly<Record<string, number>>;

const limitTest = requires({
  root: "makes a user namespace",
  tools: ["unshare", "nsenter", "prlimit"],
});

function setting(limits: Limits): string {
  return Object.entries(limits)
    .map(([name, value]) => `echo ${value} >/proc/sys/user/${name} && `)
    .join("");
}

/** In a user namespace facron is root, and has no privilege outside: fanotify is had without it. */
function within(limits: Limits): { readonly command: readonly string[] } {
  const script = `${setting(limits)}exec "$0" "$@"`;
  return { command: ["unshare", "-Ur", "/bin/sh", "-c", script, binaryPath] };
}

function change(facron: RunningBinary, limits: Limits): void {
  const inside = ["nsenter", "-U", "--preserve-credentials", "-t", `${facron.pid}`];
  expect(Bun.spawnSync([...inside, "/bin/sh", "-c", `${setting(limits)}true`]).success).toBe(true);
}

/** `top` and seven directories below it, one of them in another. */
function tree(): { dir: TempDir; top: string; places: string[] } {
  const dir = tempDir();
  const top = dir.mkdir("top");
  const names = ["a", "b", "c", "d", "e", "f", "f/g"];
  return { dir, top, places: [top, ...names.map((name) => dir.mkdir(`top/${name}`))] };
}

/** @returns the directories in which a new file is told, in order */
async function toldIn(facron: RunningBinary, places: readonly string[], name: string) {
  using quiet = new Quiet(facron.pid);
  for (const place of places) writeFileSync(`${place}/${name}`, "");
  await quiet.wait();
  writeFileSync(`${places[0]}/end of ${name}`, "");
  await facron.waitForEvent("the last", ({ path }) => path?.endsWith(`/end of ${name}`) === true);
  const told = facron.events.flatMap(({ path }) => (path?.endsWith(`/${name}`) ? [path] : []));
  return told.map((path) => path.slice(0, -name.length - 1)).toSorted();
}

describe("at a limit of inotify", () => {
  limitTest("fanotify takes the directories that are left over", async () => {
    const { top, places } = tree();
    const limits = within({ max_inotify_watches: 5, max_fanotify_marks: 100 });
    await using facron = await runBinary(["watch", "-r", "-e", "create", top], limits).ready();
    expect(await toldIn(facron, places, "n")).toEqual(places);
    expect(facron.log).toMatch(
      /Using fanotify for ".*" and \d others: user.max_inotify_watches is reached \(5\)\n {2}raise it: sysctl user.max_inotify_watches=16\n {2}for good: echo /,
    );
    expect(facron.log).toMatch(/inotify 1 \((\d) marks?\), \d marks? of fanotify$/m);
    expect(facron.log.match(/warning/g)).toHaveLength(1);
  });

  limitTest("what comes to be there later, moves and goes is followed by both", async () => {
    const { dir, top, places } = tree();
    const limits = within({ max_inotify_watches: 5, max_fanotify_marks: 100 });
    await using facron = await runBinary(["watch", "-r", "-e", "create", top], limits).ready();
    using quiet = new Quiet(facron.pid);
    const made = places.slice(1, 6).map((place) => dir.mkdir(`${place.slice(-5)}/new`));
    await quiet.wait();
    const moved = made.map((place, at) => {
      const to = `${top}/moved${at}`;
      expect(Bun.spawnSync(["mv", place, to]).success).toBe(true);
      return to;
    });
    await quiet.wait();
    const all = [...places, ...moved].toSorted();
    expect(await toldIn(facron, all, "n")).toEqual(all);
    for (const [at, place] of moved.entries())
      expect(Bun.spawnSync(["mv", place, `${places[at]}/back`]).success).toBe(true);
    await quiet.wait();
    const back = [...places, ...moved.map((_, at) => `${places[at]}/back`)].toSorted();
    expect(await toldIn(facron, back, "m")).toEqual(back);
  });

  limitTest(
    "what nobody can watch is counted once, and watched after a reload with more",
    async () => {
      const { dir, top, places } = tree();
      const limits = within({ max_inotify_watches: 5, max_fanotify_marks: 2 });
      const rule = `[[rule]]\nwatch = ["${top}"]\nrecursive = true\non = ["create"]\n`;
      const file = dir.write("rules.toml", rule);
      await using facron = await runBinary(["-c", file], limits).ready();
      const [count] = (await facron.waitForLog(/(\d) not watched/)).slice(1);
      const missing = places.length - Number(count);
      expect(await toldIn(facron, places, "n")).toHaveLength(missing);
      change(facron, { max_inotify_watches: 100 });
      facron.signal("SIGHUP");
      await facron.waitForLog(/: inotify 1 \(\d marks?\)(, \d marks? of fanotify)?$/m);
      expect(await toldIn(facron, places, "m")).toEqual(places);
    },
  );

  limitTest("a rule that asks for inotify gets no other", async () => {
    const { top } = tree();
    const limits = within({ max_inotify_watches: 5 });
    const args = ["watch", "-b", "inotify", "-r", "-e", "create", top];
    await using facron = await runBinary(args, limits).ready();
    expect(facron.log).toMatch(/Cannot watch ".*" and \d others: user.max_inotify_watches/);
    expect(facron.log).toMatch(/inotify 1 \(\d marks?\), \d not watched$/m);
  });

  limitTest("a queue that cannot be opened is fanotify's to replace", async () => {
    const { top, places } = tree();
    const limits = within({ max_inotify_instances: 1 });
    await using facron = await runBinary(["watch", "-r", "-e", "create", top], limits).ready();
    expect(await toldIn(facron, places, "n")).toEqual(places);
    expect(facron.log).toContain("user.max_inotify_instances is reached (1)\n");
  });

  for (const [backend, limits] of [
    ["inotify", {}],
    ["fanotify", { max_inotify_instances: 1 }],
  ] as const) {
    limitTest(`nobody is served by ${backend}, which does not say who did it`, async () => {
      const { dir, top, places } = tree();
      for (const path of [dir.path, ...places]) chmodSync(path, 0o777);
      const options = { ...nobody, ...within(limits) };
      await using facron = await runBinary(["watch", "-r", top], options).ready();
      expect(facron.log).toMatch(new RegExp(`: ${backend} 1 \\(8 marks\\)$`, "m"));
      using quiet = new Quiet(facron.pid);
      renameSync(dir.mkdir("top/a/x"), `${top}/b/y`);
      await quiet.wait();
      writeFileSync(`${top}/b/y/f`, "");
      await facron.waitForEvent("f", ({ path }) => path === `${top}/b/y/f`);
      expect(facron.events.filter((event) => "pid" in event)).toEqual([]);
    });
  }

  limitTest("with no queue at all the start fails, with the sysctl", async () => {
    const { top } = tree();
    const limits = within({ max_inotify_instances: 0, max_fanotify_groups: 0 });
    const { code, stderr } = await answerTo(["watch", top], limits);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: Cannot watch ".*": user.max_inotify_instances is reached \(0\)/);
  });
});

describe("the cure names", () => {
  const noSpace = new SyscallError("inotify_add_watch", Errno.ENOSPC);

  limitTest("the system's sysctl where no namespace has a lower one", () => {
    const now = sysctlValue("fs.inotify.max_user_watches")!;
    const text = limitText(noSpace, "inotify");
    expect(text).toStartWith(`fs.inotify.max_user_watches is reached (${now})\n`);
  });

  limitTest("a number that is enough for all that is known to be needed", () => {
    const now = sysctlValue("fs.inotify.max_user_watches")!;
    expect(limitText(noSpace, "inotify", now * 8)).toContain(
      `  raise it: sysctl fs.inotify.max_user_watches=${2 ** Math.ceil(Math.log2(now * 16))}\n`,
    );
  });

  limitTest("RLIMIT_NOFILE where facron itself has no descriptor left, not the sysctl", () => {
    const { soft } = fileLimitOf(0)!;
    setSoftLimit(3);
    const text = limitText(new SyscallError("inotify_init1", Errno.EMFILE), "inotify");
    setSoftLimit(soft);
    expect(text).toBe(openFilesText);
  });
});

// With 3 the dynamic loader gives up, with 4 Bun does, before there is any code of ours.
describe("with few descriptors", () => {
  limitTest("facron works, or says in one sentence why it cannot start", async () => {
    const { dir, top } = tree();
    dir.write("rules.toml", `[[rule]]\nwatch = "${top}"\non = "create"\nrun = ["/bin/true"]\n`);
    const refusal = `facron: error: Cannot start: ${openFilesText}\n`;
    const starts: string[] = [];
    for (let files = 5; files <= 40; files++) {
      const command = ["prlimit", `--nofile=${files}:${files}`, binaryPath];
      for (const args of [
        ["watch", "-r", top],
        ["--config", dir.join("rules.toml")],
      ]) {
        await using facron = runBinary(args, { command });
        await facron.waitForLog(/^facron: ready$|\n {2}for good: .*\n/m);
        const works = facron.log.endsWith("\nfacron: ready\n");
        if (works) expect(facron.log).not.toMatch(/warning|error|RLIMIT/);
        else
          expect({ ...(await facron.exit()), log: facron.log }).toMatchObject({
            code: 1,
            log: refusal,
          });
        starts.push(works ? "works" : "refused");
      }
    }
    expect(starts.slice(0, 2)).toEqual(["refused", "refused"]);
    expect(starts.slice(-2)).toEqual(["works", "works"]);
    expect(starts).toEqual(starts.toSorted()); // none works with fewer than another is refused with
  });

  limitTest("a soft limit that its parent set counts, whatever Bun makes of it", async () => {
    const { top } = tree();
    const start = by(`ulimit -S -n 8; "$0" "$@"; exit $?`);
    const { code, stderr } = await answerTo(["watch", top], start);
    expect(stderr).toBe(`facron: error: Cannot start: ${openFilesText}\n`);
    expect(code).toBe(1);
  });
});
