/** Where fanotify cannot serve, inotify does, and the log says where and why. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { mountBindfs, mountImage, mountTmpfs } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { Quiet } from "./quiet.ts";

const root = "mounts a filesystem";
const fuseTest = requires({ root, tools: ["bindfs"] });
const btrfsTest = requires({ root, tools: ["mkfs.btrfs", "btrfs"] });

// The kernel's rule (fanotify_mark(2), EXDEV, Linux 6.8): a group that reports handles takes marks on a
// filesystem without a usable fsid (FUSE), or on a subvolume whose fsid is not its superblock's (btrfs),
// only as long as all its marks are on that one.
const why =
  "fanotify cannot name files on this filesystem (fanotify_mark: invalid cross-device link)";

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

fuseTest("the second filesystem falls to inotify if the first is FUSE", async () => {
  const dir = tempDir();
  const fuse = mountBindfs(dir.join("fuse")).path;
  const plain = dir.mkdir("plain");
  const { lines, log } = await told([fuse, plain], [fuse, plain]);
  expect(lines).toEqual([`${fuse}/f fanotify`, `${plain}/f inotify`]);
  expect(log).toContain(`facron: warning: Using inotify for "${plain}": ${why}\n`);
});

fuseTest("FUSE falls to inotify if it is the second", async () => {
  const dir = tempDir();
  const fuse = mountBindfs(dir.join("fuse")).path;
  const [plain, other] = [dir.mkdir("plain"), mountTmpfs(dir.join("other")).path];
  const all = [plain, fuse, other];
  const { lines, log } = await told(all, all);
  expect(lines).toEqual([`${fuse}/f inotify`, `${other}/f fanotify`, `${plain}/f fanotify`]);
  expect(log.match(/Using inotify for .*/g)).toEqual([`Using inotify for "${fuse}": ${why}`]);
});

btrfsTest("a second subvolume falls to inotify", async () => {
  const dir = tempDir();
  const top = mountImage(dir.join("btrfs"), "btrfs").path;
  const volumes = [`${top}/one`, `${top}/two`];
  for (const path of volumes) Bun.spawnSync(["btrfs", "subvolume", "create", path]);
  const { lines, log } = await told(volumes, volumes);
  expect(lines).toEqual([`${top}/one/f fanotify`, `${top}/two/f inotify`]);
  expect(log).toContain(`facron: warning: Using inotify for "${top}/two": ${why}\n`);
});

btrfsTest("a subvolume below a recursive root is not seen, and the log says so", async () => {
  const dir = tempDir();
  const top = mountImage(dir.join("btrfs"), "btrfs").path;
  Bun.spawnSync(["btrfs", "subvolume", "create", `${top}/one`]);
  const { lines, log } = await told(["-r", "-b", "fanotify", top], [top, `${top}/one`]);
  expect(lines).toEqual([`${top}/f fanotify`]);
  expect(log).toContain(
    `facron: warning: Cannot watch "${top}/one": invalid cross-device link (fanotify_mark); ` +
      `nothing in it will be seen\n`,
  );
});
