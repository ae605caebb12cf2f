/** Trees as disks have them, and as nobody would make them: one clear line at most for each oddity, the rest is watched. */
import { describe, expect } from "bun:test";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { backends } from "../contract/filesystems.ts";
import { Quiet } from "../contract/quiet.ts";
import { needsRoot, requires } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { nobody } from "../cli/support.ts";
import { mostMarks } from "./proof.ts";

const rootTest = needsRoot("uses fanotify");
const perlTest = requires({ root: "uses fanotify", tools: ["perl"] });

function watch(backend: string, directory: string): readonly string[] {
  return ["watch", "-r", "-b", backend, "-e", "create,close_write", directory];
}

function warningsOf({ log }: RunningBinary): string[] {
  return log.split("\n").filter((line) => line.includes("warning:"));
}

/** Each directory is watched: a file in it is told, by its name. */
async function expectWatched(
  facron: RunningBinary,
  directories: readonly (string | Uint8Array)[],
): Promise<void> {
  using quiet = new Quiet(facron.pid);
  directories.forEach((directory, n) => {
    const name = Buffer.concat([Buffer.from(directory as string), Buffer.from(`/seen${n}`)]);
    writeFileSync(name, "");
  });
  await quiet.wait();
  await facron.stop();
  const told = facron.events.flatMap(({ events, path }) =>
    events.includes("close_write") ? [path!.split("/").at(-1)] : [],
  );
  expect(told).toEqual(directories.map((_, n) => `seen${n}`));
}

function perl(cwd: string, program: string): void {
  const { success, stderr } = Bun.spawnSync(["perl", "-e", program], { cwd });
  expect(success, stderr.toString()).toBe(true);
}

/** Names of the greatest length, with every kind of odd byte, and files of every kind. */
function makeOddTree(dir: TempDir): (string | Uint8Array)[] {
  const long = "n".repeat(255);
  dir.write("secret", "", { mode: 0 });
  dir.mkdir(`${long}/${long}`);
  dir.mkdir('quote"\\');
  dir.mkdir("a\nb\t\x1b[31m");
  const notUtf8 = Buffer.concat([Buffer.from(dir.join("raw-")), Buffer.of(0xff, 0xfe)]);
  mkdirSync(notUtf8);
  symlinkSync(".", dir.join("self"));
  symlinkSync("nowhere", dir.join("dangling"));
  symlinkSync("b", dir.join("a"));
  symlinkSync("a", dir.join("b"));
  perl(
    dir.path,
    'use POSIX; use IO::Socket::UNIX; mkfifo("fifo", 0600) or die; ' +
      'IO::Socket::UNIX->new(Local => "socket", Listen => 1) or die',
  );
  return [dir.path, dir.join(long), dir.join(long, long), dir.join('quote"\\'), notUtf8];
}

describe.each(backends)("%s", (backend) => {
  perlTest("a tree with names and files of every kind is watched without a word", async () => {
    const dir = tempDir();
    const directories = makeOddTree(dir);
    const facron = await runBinary(watch(backend, dir.path)).ready();
    expect(warningsOf(facron)).toEqual([]);
    await expectWatched(facron, directories);
  });

  perlTest("what is deeper than a path can be is watched like the rest", async () => {
    const dir = tempDir();
    perl(dir.path, 'for (1..20) { my $d = "d" x 250; mkdir $d or die; chdir $d or die }');
    dir.mkdir("other");
    const facron = await runBinary(watch(backend, dir.path)).ready();
    expect(warningsOf(facron)).toEqual([]);
    expect(mostMarks(facron.pid)).toBe(1 + 20 + 1);
    const deep = "d".repeat(250);
    await expectWatched(facron, [dir.join("other"), dir.join(deep, deep, deep)]);
  });

  rootTest("a tree that is removed while it is scanned leaves no watch and no word", async () => {
    const dir = tempDir();
    for (let n = 0; n < 3000; n++) dir.mkdir(`gone/${n % 30}/${n}/below`);
    dir.mkdir("stays");
    const facron = runBinary(watch(backend, dir.path));
    await facron.waitForLog(/^/); // it starts
    const removal = Bun.spawn(["rm", "-rf", dir.join("gone")]);
    await facron.ready();
    await removal.exited;
    using quiet = new Quiet(facron.pid);
    await quiet.wait();
    expect(mostMarks(facron.pid)).toBe(2);
    expect(warningsOf(facron)).toEqual([]);
    await expectWatched(facron, [dir.join("stays")]);
  });

  rootTest(
    "a directory that takes turns with a symbolic link never leads out of the tree",
    async () => {
      const [dir, outside] = [tempDir(), tempDir()];
      dir.mkdir("D/turn");
      symlinkSync(outside.path, dir.join("link"));
      const facron = await runBinary(watch(backend, dir.join("D"))).ready();
      using quiet = new Quiet(facron.pid);
      for (let n = 0; n < 3000; n++) {
        renameSync(dir.join("D/turn"), dir.join("away"));
        renameSync(dir.join("link"), dir.join("D/turn"));
        if (n % 10 === 0) outside.write(`outside${n}`);
        renameSync(dir.join("D/turn"), dir.join("link"));
        renameSync(dir.join("away"), dir.join("D/turn"));
      }
      await quiet.wait();
      outside.write("outside-at-the-end");
      await quiet.wait();
      await facron.stop();
      const fromOutside = facron.events.filter(({ path }) => path!.includes("/outside"));
      expect(fromOutside.slice(0, 3)).toEqual([]);
    },
  );
});

rootTest("what may not be read is one line each, and the rest is watched", async () => {
  const dir = tempDir();
  chmodSync(dir.path, 0o755);
  for (const name of ["closed", "below/closed"]) chmodSync(dir.mkdir(name), 0);
  for (const name of [".", "below"]) chmodSync(dir.join(name), 0o777);
  const facron = await runBinary(watch("inotify", dir.path), nobody).ready();
  expect(warningsOf(facron).sort()).toEqual(
    ["below/closed", "closed"].map(
      (name) =>
        `facron: warning: Cannot watch "${dir.join(name)}": permission denied; ` +
        "run facron as a user who may read it; nothing in it will be seen",
    ),
  );
  await expectWatched(facron, [dir.path, dir.join("below")]);
});
