/** Where fanotify cannot serve, inotify does, and the log says where and why. */
import { expect } from "bun:test";
import { copyFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mountBindfs, mountImage, mountTmpfs } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { Quiet } from "./quiet.ts";

const root = "mounts a filesystem";
const fuseTest = requires({ root, tools: ["bindfs"] });
const ext4Test = requires({ root, tools: ["mkfs.ext4"] });
const btrfsTest = requires({ root, tools: ["mkfs.btrfs", "btrfs"] });

// The kernel's rule (fanotify_mark(2), EXDEV, Linux 6.8): a group that reports handles takes marks on a
// filesystem without a usable fsid (FUSE), or on a subvolume whose fsid is not its superblock's (btrfs),
// only as long as all its marks are on that one. So each has a group of its own.

/** Create a file in each directory. @returns path and whether fanotify told it, by the pid */
async function told(args: readonly string[], directories: readonly string[]) {
  await using facron = await runBinary(["watch", "-e", "create", ...args]).ready();
  using quiet = new Quiet(facron.pid);
  for (const directory of directories) writeFileSync(`${directory}/f`, "");
  await quiet.wait();
  await facron.stop();
  const lines = facron.events.map(
    ({ path, pid }) => `${path} ${pid === undefined ? "inotify" : "fanotify"}`,
  );
  return { lines: lines.sort(), log: facron.log };
}

fuseTest(
  "filesystems without an id are served by fanotify, whatever is watched with them",
  async () => {
    const dir = tempDir();
    const [fuse, second] = [
      mountBindfs(dir.join("fuse")).path,
      mountBindfs(dir.join("fuse2")).path,
    ];
    const [plain, other] = [dir.mkdir("plain"), mountTmpfs(dir.join("other")).path];
    for (const all of [
      [fuse, plain, second, other],
      [plain, second, other, fuse],
    ]) {
      const { lines, log } = await told(all, all);
      expect(lines).toEqual([fuse, second, other, plain].map((path) => `${path}/f fanotify`));
      expect(log).not.toContain("inotify");
      for (const path of all) rmSync(`${path}/f`);
    }
  },
);

btrfsTest("each subvolume is served by fanotify, also below a recursive root", async () => {
  const dir = tempDir();
  const top = mountImage(dir.join("btrfs"), "btrfs").path;
  const volumes = [`${top}/one`, `${top}/two`, `${top}/one/three`];
  for (const path of volumes) Bun.spawnSync(["btrfs", "subvolume", "create", path]);
  const inAll = ["one", "one/three", "two"].map((name) => `${top}/${name}/f fanotify`);
  const asRoots = await told(volumes, volumes);
  expect(asRoots.lines).toEqual(inAll);
  expect(asRoots.log).not.toContain("warning");
  for (const path of volumes) rmSync(`${path}/f`);
  const below = await told(["-r", top], [top, ...volumes]);
  expect(below.lines).toEqual([`${top}/f fanotify`, ...inAll]);
  expect(below.log).not.toContain("warning");
});

btrfsTest(
  "a subvolume that is made, renamed and removed below a recursive root is followed",
  async () => {
    const dir = tempDir();
    const top = mountImage(dir.join("btrfs"), "btrfs").path;
    const directories = [dir.mkdir("btrfs/plain"), `${top}/plain/one`];
    await using facron = await runBinary(["watch", "-r", "-e", "create,delete", top]).ready();
    using quiet = new Quiet(facron.pid);
    const act = async (...command: string[]) => {
      expect(Bun.spawnSync(command).success).toBe(true);
      await quiet.wait();
    };
    await act("btrfs", "subvolume", "create", directories[1]!);
    await act("mkdir", `${top}/plain/one/sub`);
    await act("touch", `${top}/plain/one/sub/a`);
    await act("mv", `${top}/plain/one`, `${top}/two`);
    await act("touch", `${top}/two/sub/b`);
    await act("rm", "-r", `${top}/two/sub`);
    await act("btrfs", "subvolume", "delete", `${top}/two`);
    await facron.stop();
    const lines = facron.events.map(
      ({ events, path }) => `${events.join()} ${path!.slice(top.length)}`,
    );
    expect(lines).toEqual([
      "create /plain/one",
      "create /plain/one/sub",
      "create /plain/one/sub/a",
      "create /two/sub/b",
      "delete /two/sub/a",
      "delete /two/sub/b",
      "delete /two/sub",
      "delete /two",
    ]);
  },
);

btrfsTest("a subvolume that moves between subvolumes takes along what is in it", async () => {
  const dir = tempDir();
  const top = mountImage(dir.join("btrfs"), "btrfs").path;
  const act = (...command: string[]) => expect(Bun.spawnSync(command).success).toBe(true);
  for (const name of ["one", "two"]) act("btrfs", "subvolume", "create", `${top}/${name}`);
  const [one, there, plain] = [`${top}/one`, `${top}/two/one`, dir.mkdir("btrfs/plain/x")];
  dir.mkdir("btrfs/one/a/b");
  await using facron = await runBinary(["watch", "-r", "-e", "create", top]).ready();
  using quiet = new Quiet(facron.pid);
  const paths: string[] = [];
  const touch = (path: string) => {
    writeFileSync(path, "");
    paths.push(path);
  };
  for (const [from, to] of [
    [one, there],
    [there, `${plain}/one`],
    [`${plain}/one`, one],
  ] as const) {
    renameSync(from, to);
    await quiet.wait();
    touch(`${to}/a/b/${paths.length}`);
    await quiet.wait();
  }
  facron.signal("SIGSTOP");
  renameSync(one, there);
  renameSync(there, one);
  renameSync(one, there);
  facron.signal("SIGCONT");
  await quiet.wait();
  touch(`${there}/a/b/last`);
  await quiet.wait();
  await facron.stop();
  expect(facron.events.map(({ path }) => path!)).toEqual(paths);
});

ext4Test("copies of a filesystem, with one id and the same inodes, are told apart", async () => {
  const dir = tempDir();
  const top = dir.mkdir("top");
  using first = mountImage(dir.join("first"), "ext4");
  dir.mkdir("first/sub");
  first[Symbol.dispose]();
  const places = ["a", "b", "c"].map((name) => {
    dir.mkdir(`top/${name}`);
    copyFileSync(dir.join("first.ext4"), dir.join(`${name}.ext4`));
    const copy = ["mount", "-o", "loop", dir.join(`${name}.ext4`), `${top}/${name}`];
    expect(Bun.spawnSync(copy).success).toBe(true);
    return `${top}/${name}`;
  });
  const all = places.flatMap((place) => [place, `${place}/sub`]);
  for (const args of [["-r", top], all]) {
    const { lines, log } = await told(args, all);
    expect(lines).toEqual(all.map((path) => `${path}/f fanotify`));
    expect(log).not.toContain("warning");
    for (const path of all) rmSync(`${path}/f`);
  }
});

fuseTest("FUSE that is mounted and unmounted below a recursive root is followed", async () => {
  const dir = tempDir();
  const [top, point] = [dir.mkdir("top"), dir.mkdir("top/point")];
  await using facron = await runBinary(["watch", "-r", "-e", "create", top]).ready();
  using quiet = new Quiet(facron.pid);
  for (const name of ["first", "second"]) {
    const fuse = mountBindfs(point, dir.mkdir("source"));
    await quiet.wait();
    writeFileSync(`${point}/${name}`, "");
    await quiet.wait();
    fuse[Symbol.dispose]();
    await quiet.wait();
    writeFileSync(`${point}/${name} below`, "");
    await quiet.wait();
    rmSync(`${point}/${name} below`);
  }
  await facron.stop();
  expect(facron.events.map(({ path, pid }) => [path, typeof pid])).toEqual(
    ["first", "first below", "second", "second below"].map((name) => [
      `${point}/${name}`,
      "number",
    ]),
  );
  expect(facron.log).not.toContain("warning");
});

fuseTest(
  "what is mounted elsewhere, or above as well, changes nothing for what is watched",
  async () => {
    const dir = tempDir();
    const paths = [mountTmpfs(dir.join("local")).path, mountBindfs(dir.join("fuse")).path].map(
      (path) => dir.write(`${path.slice(dir.path.length + 1)}/file`),
    );
    await using facron = await runBinary(["watch", "-e", "modify,close_write", ...paths]).ready();
    using quiet = new Quiet(facron.pid);
    for (const name of ["one", "two"]) {
      mountTmpfs(dir.join(name));
      await quiet.wait();
    }
    await facron.stop();
    expect(facron.events).toEqual([]);
    expect(facron.log).not.toContain("replaced");
  },
);
