/** Which filesystems others change too. */
import { expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { isShared, mountedTypes, SharedFilesystems } from "../../src/watch/shared-filesystems.ts";
import type { Root } from "../../src/watch/tree.ts";
import { FuseServer } from "../helpers/fuse-server.ts";
import { requires } from "../helpers/requires.ts";
import { fileStatus } from "../../ffi/files.ts";
import { cString } from "../../ffi/bytes.ts";
import { tempDir } from "../helpers/temp-dir.ts";

test("mountedTypes reads what stands behind the hyphen, whatever stands before it", () => {
  const types = mountedTypes(
    [
      "36 35 0:51 / /mnt/a\\040-\\040b rw,noatime shared:1 master:2 - nfs4 server:/export rw,vers=4.2",
      "37 35 8:1 /sub /mnt/disk rw,relatime - ext4 /dev/sda1 rw",
      "38 35 0:52 / /mnt/ssh rw,nosuid - fuse.sshfs me@host:/ rw",
      "",
    ].join("\n"),
  );
  expect([...types]).toEqual([
    ["0:51", "nfs4"],
    ["8:1", "ext4"],
    ["0:52", "fuse.sshfs"],
  ]);
});

test("isShared knows network filesystems and FUSE, and takes a disk for a disk", () => {
  expect(["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse"].map(isShared)).toEqual(
    Array.from({ length: 8 }, () => true),
  );
  expect(["ext4", "tmpfs", "overlay", "fuseblk", "fusectl", "btrfs", ""].map(isShared)).toEqual(
    Array.from({ length: 7 }, () => false),
  );
});

requires({ root: "mounts a filesystem", tools: ["bindfs"] })(
  "notice says it once for each path, with the cure, and says nothing of a disk",
  async () => {
    const dir = tempDir();
    dir.write("source/f");
    const { path } = await FuseServer.start(dir.join("source"), dir.join("share"));
    const said: string[] = [];
    const shared = new SharedFilesystems({ warn: (text) => void said.push(text) });
    for (const one of [path, dir.join("source"), path]) shared.notice(rootAt(one));
    expect(said).toEqual([
      `Watching "${path}" on fuse: only what is changed through this mount is told, not what other machines change\n` +
        '  poll it: backend = "poll" in a rule in TOML, or facron watch --backend poll',
    ]);
  },
);

/** As far as the notice looks at it. */
function rootAt(path: string): Root {
  return { path: utf8(path), node: { inode: fileStatus(cString(utf8(path))).inode } } as Root;
}
