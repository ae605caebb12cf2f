/** Mounts read from text, and names of a file from one mount to the next. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { type MountInfo, mountsIn } from "../../ffi/mount-info.ts";
import { mountOf, seenFrom } from "../../src/gate/mount-info.ts";

describe("mountsIn", () => {
  test("reads ids, devices, roots and points; blanks and backslashes are octal (proc_pid_mountinfo(5))", () => {
    const text =
      "22 1 254:0 / / rw - ext4 /dev/vda rw\n" +
      "36 22 98:0 /a\\040b /mnt\\134\\011\\012 rw,noatime master:1 - ext3 /dev/root rw\n";
    expect(mountsIn(text)).toEqual([
      { id: 22, device: "254:0", root: "/", point: "/", type: "ext4" },
      { id: 36, device: "98:0", root: "/a b", point: "/mnt\\\t\n", type: "ext3" },
    ]);
  });

  test("of a process that has ended there are none", () => {
    expect(mountsIn("")).toEqual([]);
  });
});

const mount = (root: string, point: string, device = "8:1"): MountInfo => {
  return { id: 1, device, root, point, type: "ext4" };
};

test("mountOf finds a mount of a process by its id, and none of one that has ended", () => {
  const [first] = mountsIn(readFileSync("/proc/self/mountinfo", "latin1"));
  expect(mountOf(process.pid, first!.id)).toEqual(first!);
  expect(mountOf(process.pid, 0)).toBeNull();
  const ended = Bun.spawnSync(["true"]).pid;
  expect(mountOf(ended, first!.id)).toBeNull();
});

describe("seenFrom", () => {
  const whole = mount("/", "/");
  const data = mount("/", "/data");
  const part = mount("/srv/in", "/mnt");
  const deeper = mount("/srv/in/deep", "/opt/deep");
  const aFile = mount("/srv/in/a", "/run/a");
  const tests: [string, MountInfo, MountInfo, string | null][] = [
    ["/srv/in/a", whole, part, "/mnt/a"],
    ["/mnt/a", part, whole, "/srv/in/a"],
    ["/srv/in", whole, part, "/mnt"],
    ["/mnt", part, whole, "/srv/in"],
    ["/srv/inn/a", whole, part, null],
    ["/srv", whole, part, null],
    ["/", whole, part, null],
    ["/", whole, data, "/data"],
    ["/data", data, whole, "/"],
    ["/data/a", data, whole, "/a"],
    ["/data/srv/in/a", data, part, "/mnt/a"],
    ["/mnt/deep/a", part, deeper, "/opt/deep/a"],
    ["/opt/deep/a", deeper, part, "/mnt/deep/a"],
    ["/mnt/a", part, deeper, null],
    ["/mnt/a", part, aFile, "/run/a"],
    ["/run/a", aFile, part, "/mnt/a"],
    ["/mnt/b", part, aFile, null],
  ];
  test.each(tests)("%s", (path, from, to, expected) => {
    expect(seenFrom(path, from, to)).toBe(expected);
  });

  test("another filesystem has other files", () => {
    expect(seenFrom("/srv/in/a", whole, mount("/", "/mnt", "8:2"))).toBeNull();
  });

  test("a path that is not in the mount it is said to be in has no other name", () => {
    expect(seenFrom("/elsewhere/a", part, whole)).toBeNull();
  });
});
