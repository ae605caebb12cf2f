/** Where our own cgroup is: /proc/self/mountinfo and /proc/self/cgroup as different systems have them. */
import { expect, test } from "bun:test";
import { cgroupHomes } from "../../src/action/cgroup-mounts.ts";

const none = { unified: null, memory: null, pids: null };

test("cgroupHomes finds version 2 alone, as systemd mounts it", () => {
  const mountinfo =
    "24 30 0:22 / /proc rw,nosuid shared:12 - proc proc rw\n" +
    "35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
  expect(cgroupHomes(mountinfo, "0::/system.slice/facron.service\n")).toEqual({
    ...none,
    unified: "/sys/fs/cgroup/system.slice/facron.service",
  });
});

test("cgroupHomes finds both versions side by side, and controllers that are mounted together", () => {
  const mountinfo =
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,net_cls,pids\n" +
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
  const memberships =
    "8:net_cls,pids:/a\n4:memory:/b:c\n2:cpu,cpuacct:/\n1:name=systemd:/s\n0::/\n";
  expect(cgroupHomes(mountinfo, memberships)).toEqual({
    unified: "/sys/fs/cgroup/unified",
    memory: "/sys/fs/cgroup/memory/b:c",
    pids: "/sys/fs/cgroup/pids/a",
  });
});

test("cgroupHomes knows the part of the tree that a container sees, and what is out of its sight", () => {
  const memory = "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
  expect(cgroupHomes(memory, "4:memory:/docker/ab\n").memory).toBe("/sys/fs/cgroup/memory");
  expect(cgroupHomes(memory, "4:memory:/docker/ab/c\n").memory).toBe("/sys/fs/cgroup/memory/c");
  expect(cgroupHomes(memory, "4:memory:/docker/abc\n")).toEqual(none);
  expect(cgroupHomes(memory, "4:memory:/\n")).toEqual(none);
  expect(cgroupHomes(memory, "0::/docker/ab\n")).toEqual(none);
});

test("cgroupHomes reads mount points with spaces, and takes the mount that shows our own", () => {
  const elsewhere = "34 31 0:30 /other /mnt/other rw - cgroup2 none rw\n";
  const ours = "35 31 0:30 / /mnt/c\\040g rw - cgroup2 none rw\n";
  expect(cgroupHomes(elsewhere + ours, "0::/x\n").unified).toBe("/mnt/c g/x");
});

test("cgroupHomes finds nothing where nothing is mounted", () => {
  expect(cgroupHomes("", "0::/x\n")).toEqual(none);
  expect(cgroupHomes("24 30 0:22 / /proc rw - proc proc rw\n", "")).toEqual(none);
});
