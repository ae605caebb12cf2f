/** Where the kernel holds what gates decide about, by filesystem, mount and what the kernel can hold there. */
import { describe, expect } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { gateBits } from "../../src/rule/gate.ts";
import { Mount, mountBindfs, mountImage, mountOverlay, mountTmpfs } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { gateOn, GateWorld } from "./gate-world.ts";

const gateTest = requires({
  root: "decides what may be opened",
  tools: ["cc", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "bindfs"],
});

/** The same filesystem at another path. */
function mountBound({ path: from }: Mount, path: string): Mount {
  mkdirSync(path, { recursive: true });
  expect(Bun.spawnSync(["mount", "--bind", from, path]).success).toBe(true);
  return new Mount(path);
}

describe("filesystems", () => {
  const kinds = {
    tmpfs: (path: string) => mountTmpfs(path),
    ext4: (path: string) => mountImage(path, "ext4"),
    xfs: (path: string) => mountImage(path, "xfs"),
    btrfs: (path: string) => mountImage(path, "btrfs"),
  } as const;

  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    gateTest(
      `${kind}, mounted below a tree: what is there, what is made, what it hid`,
      async () => {
        const dir = tempDir({ on: "disk" });
        const hidden = dir.write("T/m/hidden/x");
        const world = new GateWorld();
        await world.plan([gateOn(dir.join("T"))]);
        const mount = kinds[kind](dir.join("T/m"));
        const file = dir.write("T/m/A/B/x");
        await world.untilHeld(file, dir.write("T/m/C/D/E/y"));
        mount[Symbol.dispose]();
        await world.untilHeld(hidden, dir.write("T/m/hidden/F/z"));
        expect(world.log.filter((line) => line.includes("Cannot"))).toEqual([]);
      },
    );

    gateTest(`${kind} as the path of a gate, unmounted and mounted anew`, async () => {
      const dir = tempDir({ on: "disk" });
      const world = new GateWorld();
      for (let time = 0; time < 2; time++) {
        rmSync(dir.join(`m.${kind}`), { force: true });
        using _ = kinds[kind](dir.join("m"));
        const file = dir.write(`m/A/B/${time}`);
        if (time === 0) await world.plan([gateOn(dir.join("m"))]);
        await world.untilHeld(file, dir.write(`m/C/${time}`));
      }
    });
  }

  gateTest("a btrfs subvolume in a tree, there before and made after", async () => {
    const dir = tempDir({ on: "disk" });
    using _ = mountImage(dir.join("m"), "btrfs");
    const make = (name: string) => Bun.spawnSync(["btrfs", "subvolume", "create", dir.join(name)]);
    make("m/S");
    const file = dir.write("m/S/D/x");
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("m"))]);
    expect(await world.isHeld(file)).toBe(true);
    make("m/R");
    await world.untilHeld(dir.write("m/R/D/y"));
  });

  gateTest(
    "FUSE has none, below a tree or as a path, nor the network: the log says why",
    async () => {
      const dir = tempDir();
      const world = new GateWorld();
      using _ = mountBindfs(dir.join("T/fuse"), tempDir().path);
      const [held, free] = [dir.write("T/D/x"), dir.write("T/fuse/D/y")];
      const why =
        "a server answers for that filesystem (FUSE, NFS, SMB, ...), and one that hangs would hold up " +
        "all gates; gate the files that it serves, where they are";
      const path = dir.join("T/fuse");
      const { failed } = await world.plan([
        gateOn(dir.join("T")),
        gateOn(path, { scope: "mount" }),
      ]);
      expect(failed).toBe(1);
      expect([await world.isHeld(held), await world.isHeld(free)]).toEqual([true, false]);
      expect(world.log.toSorted()).toEqual([
        `Cannot watch "${path}": ${why}`,
        `No gate on "${path}", nor on anything in it: ${why}`,
      ]);
    },
  );

  gateTest("an overlay below a tree has none, and one of its own has", async () => {
    const dir = tempDir({ on: "disk" });
    using mount = mountOverlay(dir.join("T/m"));
    const world = new GateWorld();
    const file = dir.write("T/m/D/x");
    const other = tempDir({ on: "disk" });
    using bound = mountBound(mount, other.join("o"));
    await world.plan([gateOn(dir.join("T"))]);
    await world.untilHeld(dir.write("T/D/x"));
    expect(world.log).toEqual([
      expect.stringContaining(
        `No gate on "${mount.path}", nor on anything in it: it is an overlay`,
      ),
    ]);
    await world.plan([gateOn(bound.path)]);
    expect(await world.isHeld(file)).toBe(true);
    await world.untilHeld(other.write("o/E/y"));
  });

  gateTest("procfs is refused, in a sentence with the cure", async () => {
    const world = new GateWorld();
    const { failed, gated } = await world.plan([gateOn("/proc/sys/kernel")]);
    expect({ failed, gated }).toEqual({ failed: 1, gated: { paths: 0, marks: 0 } });
    expect(world.log).toEqual([
      'Cannot watch "/proc/sys/kernel": the kernel asks nobody before something is opened there (procfs); ' +
        "leave it out of the gate",
    ]);
  });
});

describe("scopes", () => {
  gateTest("a mount is held as a whole, by one mark, until a reload", async () => {
    const dir = tempDir({ on: "disk" });
    using _ = mountTmpfs(dir.join("m"));
    const files = [dir.write("m/T/x"), dir.write("m/beside/D/y")];
    const world = new GateWorld();
    const gate = gateOn(dir.join("m/T"), { scope: "mount" });
    const { gated } = await world.plan([gate]);
    expect(gated).toEqual({ paths: 1, marks: 1 });
    expect(world.roots.get(dir.join("m/T"))!.claims[0]!.recursive).toBe(true);
    for (const file of files) expect(await world.isHeld(file)).toBe(true);
    expect(world.marks.length).toBe(1);
    await world.plan([gate, gateOn(dir.join("m/beside"), { scope: "filesystem" })]);
    expect(world.marks.map((mark) => mark.split(" ")[1]!.split(":")[0]).sort()).toEqual([
      "mnt_id",
      "sdev",
    ]);
    await world.plan([]);
    for (const file of files) expect(await world.isHeld(file)).toBe(false);
    expect(world.marks).toEqual([]);
  });

  gateTest("a filesystem is held by each of its mounts", async () => {
    const dir = tempDir({ on: "disk" });
    using _ = mountImage(dir.join("m"), "ext4");
    const file = dir.write("m/T/x");
    dir.mkdir("bound");
    Bun.spawnSync(["mount", "--bind", dir.join("m/T"), dir.join("bound")]);
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("m/T"), { scope: "filesystem" })]);
    expect(await world.isHeld(dir.join("bound/x"))).toBe(true);
    await world.plan([gateOn(dir.join("m/T"), { scope: "mount" })]);
    expect(await world.isHeld(file)).toBe(true);
    expect(await world.isHeld(dir.join("bound/x"))).toBe(false);
  });

  gateTest(
    "a mount is let go when the path of the gate goes, and held when it is back",
    async () => {
      const dir = tempDir({ on: "disk" });
      using _ = mountTmpfs(dir.join("m"));
      const file = dir.write("m/x");
      dir.mkdir("m/T");
      const world = new GateWorld();
      await world.plan([gateOn(dir.join("m/T"), { scope: "mount" })]);
      expect(await world.isHeld(file)).toBe(true);
      rmSync(dir.join("m/T"), { recursive: true });
      await world.untilFree(file);
      dir.mkdir("m/T");
      await world.untilHeld(file);
    },
  );
});

describe("pre_access", () => {
  const events = gateBits.open_perm | gateBits.pre_access;

  gateTest("is held where the filesystem has it, and the rest of the gate elsewhere", async () => {
    const [dir, disk] = [tempDir(), tempDir({ on: "disk" })];
    using _ = mountImage(disk.join("m"), "ext4");
    const [there, here] = [dir.write("T/x", "text"), disk.write("m/T/x", "text")];
    const world = new GateWorld({ preContent: true });
    await world.plan([gateOn(disk.join("m/T"), { events }), gateOn(dir.join("T"), { events })]);
    expect(await world.askedFor(there)).toEqual([`10000 ${there}`]);
    expect(await world.askedFor(here)).toEqual([`10000 ${here}`, `100000 ${here}`]);
    expect(world.log).toEqual([
      `Cannot hold "${dir.join("T")}" for pre_access: this filesystem does not say before it is read; ` +
        'use ext4, xfs or btrfs, or on = ["open_perm"]',
    ]);
  });

  gateTest("is left out where the gates began without it, until a restart", async () => {
    const disk = tempDir({ on: "disk" });
    using _ = mountImage(disk.join("m"), "ext4");
    const file = disk.write("m/T/x", "text");
    const world = new GateWorld({ preContent: false });
    await world.plan([gateOn(disk.join("m/T"), { events })]);
    expect(await world.askedFor(file)).toEqual([`10000 ${file}`]);
    expect(world.log).toEqual([
      `Cannot hold "${disk.join("m/T")}" for pre_access: gates began without it; restart facron`,
    ]);
  });

  gateTest("gives way to directories where both are asked of one", async () => {
    const disk = tempDir({ on: "disk" });
    using _ = mountImage(disk.join("m"), "ext4");
    const directory = disk.mkdir("m/T/D");
    const world = new GateWorld({ preContent: true });
    const preAccess = gateOn(disk.join("m/T"), { events });
    await world.plan([preAccess]);
    await world.plan([preAccess, gateOn(disk.join("m/T"), { directories: true })]);
    expect(await world.isHeld(directory)).toBe(true);
    expect(world.log.join()).toContain("cannot have gates for pre_access and for directories");
    await world.plan([preAccess]);
    expect(world.marks.filter((mark) => !mark.includes("mask:8110000"))).toEqual([]);
  });
});
