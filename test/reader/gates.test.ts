/** Where the kernel holds what gates decide about: each file of a tree is asked about when it is opened. */
import { describe, expect } from "bun:test";
import { cpSync, linkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { gateBits } from "../../src/rule/gate.ts";
import { requires } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { gateOn, GateWorld, realPath, ruleOn } from "./gate-world.ts";

const gateTest = requires({ root: "decides what may be opened", tools: ["cc", "perl"] });

/** As another process: of what its own does, a rule hears nothing. */
function act(dir: TempDir, script: string): void {
  expect(Bun.spawnSync(["/bin/sh", "-ec", script], { cwd: dir.path }).success).toBe(true);
}

describe("a tree", () => {
  gateTest("that was there before: each file at each depth", async () => {
    const dir = tempDir();
    const files = ["a", "D/b", "D/E/F/c", ".hidden/d"].map((name) => dir.write(`T/${name}`));
    const beside = dir.write("beside");
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("T"))]);
    for (const file of files) expect(await world.isHeld(file)).toBe(true);
    expect(await world.isHeld(beside)).toBe(false);
  });

  gateTest("that is made after: also mkdir -p, copied trees, and what is renamed in", async () => {
    const dir = tempDir();
    dir.mkdir("T");
    dir.write("copy/A/B/x");
    dir.write("moved/C/y");
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("T"))]);
    const deep = dir.write("T/1/2/3/4/5/6/7/8/z");
    cpSync(dir.join("copy"), dir.join("T/copy"), { recursive: true });
    renameSync(dir.join("moved"), dir.join("T/1/moved"));
    await world.untilHeld(deep, dir.join("T/copy/A/B/x"), dir.join("T/1/moved/C/y"));
  });

  gateTest("is left by what is renamed out, with all that is in it", async () => {
    const dir = tempDir();
    dir.write("T/A/B/x");
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("T"))]);
    renameSync(dir.join("T/A"), dir.join("A"));
    await world.untilFree(dir.join("A/B/x"));
    await waitFor(() => world.marks.length === 1, { what: "the other mark to go" });
  });

  gateTest(
    "without its sub-directories, or without those whose name starts with a dot",
    async () => {
      const dir = tempDir();
      const names = ["T/a", "T/D/b", "S/.git/c", "S/D/d"];
      const [a, b, c, d] = names.map((name) => dir.write(name)) as [string, string, string, string];
      const world = new GateWorld();
      await world.plan([
        gateOn(dir.join("T"), { recursive: false }),
        gateOn(dir.join("S"), { skipsDotDirectories: true }),
      ]);
      expect([await world.isHeld(a), await world.isHeld(b)]).toEqual([true, false]);
      expect([await world.isHeld(c), await world.isHeld(d)]).toEqual([false, true]);
    },
  );

  gateTest("holds directories for the gates that are about them, and only for those", async () => {
    const dir = tempDir();
    const [asked, free] = [dir.mkdir("T/D"), dir.mkdir("S/D")];
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("T"), { directories: true }), gateOn(dir.join("S"))]);
    expect(await world.isHeld(asked)).toBe(true);
    expect(await world.isHeld(free)).toBe(false);
  });

  gateTest("with another below it: each is held for what both ask", async () => {
    const dir = tempDir();
    const file = dir.write("T/D/x");
    const world = new GateWorld();
    const outer = gateOn(dir.join("T"));
    const inner = gateOn(dir.join("T/D"), { events: gateBits.access_perm });
    const [opens, reads] = [`10000 ${file}`, `20000 ${file}`];
    await world.plan([outer, inner]);
    expect(await world.askedFor(file)).toEqual([opens, reads]);
    await world.plan([outer]);
    expect(await world.askedFor(file)).toEqual([opens]);
    await world.plan([inner]);
    expect(await world.askedFor(file)).toEqual([reads]);
    expect(world.marks.length).toBe(1);
  });

  gateTest("is held by another group, from a reload on, where it was held by one", async () => {
    const dir = tempDir();
    const files = [dir.write("T/a"), dir.write("T/D/E/b"), dir.write("f")];
    const world = new GateWorld();
    const gates = [gateOn(dir.join("T")), gateOn(dir.join("f"))];
    await world.plan(gates);
    await world.withAnotherGroup(() => world.plan(gates));
    for (const file of files) expect(await world.isHeld(file)).toBe(true);
    await world.untilHeld(dir.write("T/D/F/c"));
  });

  gateTest("grows, and is replaced, also while the commands of rules are behind", async () => {
    const dir = tempDir();
    dir.mkdir("T");
    const world = new GateWorld();
    const rule = ruleOn(dir.join("T"));
    await world.plan(
      [gateOn(dir.join("T")), gateOn(dir.join("later/*"), { isGlob: true })],
      [rule],
    );
    world.holdBack(true);
    await world.untilHeld(dir.write("T/A/B/x"), dir.write("later/C/y"));
    act(dir, "mv T old; mkdir -p T/D; : >T/D/z");
    await world.untilHeld(dir.join("T/D/z"));
    world.holdBack(false);
    act(dir, ": >T/D/z");
    await waitFor(() => world.triggers > 0, { what: "the rule to be met" });
  });

  gateTest("may be a rule's as well: neither changes what the other gets", async () => {
    const dir = tempDir();
    const file = dir.write("T/A/x");
    const world = new GateWorld();
    const rules = [ruleOn(dir.join("T")), ruleOn(dir.join("T"), { scope: "filesystem" })];
    const alone = await world.plan([], rules);
    const both = await world.plan([gateOn(dir.join("T"))], rules);
    const gated = { paths: 1, marks: 2 };
    expect(both).toEqual({ ...alone, gated });
    await world.untilHeld(file, dir.write("T/B/C/y"));
    act(dir, ": >T/written");
    await waitFor(() => world.triggers >= 2, { what: "both rules to be met" });
    await world.plan([], rules);
    expect(await world.isHeld(file)).toBe(false);
    expect(world.log).toEqual([]);
  });
});

describe("the path of a gate", () => {
  gateTest("may be a file, and each that is saved in its place is held", async () => {
    const dir = tempDir();
    const file = dir.write("f");
    const world = new GateWorld();
    await world.plan([gateOn(file)]);
    expect(world.roots.get(file)).toMatchObject({ isDirectory: false, generation: 1 });
    for (let save = 0; save < 5; save++) {
      linkSync(file, dir.join(`older-${save}`));
      renameSync(dir.write("new"), file);
      await world.untilHeld(file);
      await world.untilFree(dir.join(`older-${save}`));
    }
  });

  gateTest("may get another directory, which is held with all that is in it", async () => {
    const dir = tempDir();
    const old = dir.write("T/D/x");
    const world = new GateWorld();
    await world.plan([gateOn(dir.join("T"))]);
    dir.write("next/E/y");
    renameSync(dir.join("T"), dir.join("old"));
    renameSync(dir.join("next"), dir.join("T"));
    await world.untilHeld(dir.join("T/E/y"));
    await world.untilFree(old.replace("/T/", "/old/"));
  });

  gateTest("may come later, go, and come back", async () => {
    const dir = tempDir();
    const path = dir.join("later/T");
    const world = new GateWorld();
    const { waiting, gated, failed } = await world.plan([gateOn(path)]);
    expect({ waiting, gated, failed }).toEqual({
      waiting: 1,
      gated: { paths: 0, marks: 0 },
      failed: 0,
    });
    for (let time = 0; time < 3; time++) {
      const file = dir.write("later/T/D/x");
      await world.untilHeld(file);
      expect(world.roots.has(path)).toBe(true);
      rmSync(dir.join("later"), { recursive: true });
      await waitFor(() => !world.roots.has(path), { what: "the root to go" });
    }
  });

  gateTest("may be a symbolic link: what it leads to is held, and named", async () => {
    const dir = tempDir();
    const [a, b] = [dir.write("A/x"), dir.write("B/x")];
    const link = dir.join("link");
    symlinkSync("A", link);
    const world = new GateWorld();
    await world.plan([gateOn(link)]);
    expect(realPath(world.roots.get(link))).toBe(dir.join("A"));
    expect(await world.isHeld(a)).toBe(true);
    symlinkSync("B", dir.join("next"));
    renameSync(dir.join("next"), link);
    await world.untilHeld(b);
    await world.untilFree(a);
    expect(realPath(world.roots.get(link))).toBe(dir.join("B"));
  });

  gateTest("is told anew when a directory above it gets another name", async () => {
    const dir = tempDir();
    const file = dir.write("real/T/x");
    symlinkSync("real", dir.join("way"));
    const path = dir.join("way/T");
    const world = new GateWorld();
    await world.plan([gateOn(path)]);
    expect(realPath(world.roots.get(path))).toBe(dir.join("real/T"));
    renameSync(dir.join("real"), dir.join("renamed"));
    rmSync(dir.join("way"));
    symlinkSync("renamed", dir.join("way"));
    await waitFor(() => realPath(world.roots.get(path)) === dir.join("renamed/T"), {
      what: "the new path",
    });
    await world.untilHeld(file.replace("/real/", "/renamed/"));
  });

  gateTest("is told anew even if what it leads to is the same at every moment", async () => {
    const dir = tempDir();
    dir.write("A/T/x");
    symlinkSync("B", dir.join("B"));
    const path = dir.join("A/T");
    const world = new GateWorld();
    await world.plan([gateOn(path)]);
    // renameat2(2) with RENAME_EXCHANGE: A is a link to B then, which is the directory.
    const exchange = 'my ($a, $b) = ("A", "B"); syscall(316, -100, $a, -100, $b, 2) == 0 or die $!';
    expect(Bun.spawnSync(["perl", "-e", exchange], { cwd: dir.path }).success).toBe(true);
    await waitFor(() => realPath(world.roots.get(path)) === dir.join("B/T"), {
      what: "the new path",
    });
    expect(await world.isHeld(dir.join("B/T/x"))).toBe(true);
  });

  gateTest("may be a pattern of directories, or of files: also of those to come", async () => {
    const dir = tempDir();
    const [a, other] = [dir.write("users/ann/in/x"), dir.write("users/ann/out/x")];
    const conf = dir.write("conf/a.conf");
    const world = new GateWorld();
    const patterns = [dir.join("users/*/in"), dir.join("conf/*.conf"), dir.join("users/*/one.txt")];
    await world.plan(patterns.map((path) => gateOn(path, { isGlob: true })));
    expect(await world.isHeld(a)).toBe(true);
    expect(await world.isHeld(other)).toBe(false);
    expect(await world.isHeld(conf)).toBe(true);
    await world.untilHeld(dir.write("users/bob/in/D/x"), dir.write("users/bob/one.txt"));
    const names = (key: string) =>
      world.roots
        .get(dir.join(key))!
        .claims.map((claim) => claim.names && `${Buffer.from(claim.names)}`);
    expect(names("conf")).toEqual(["*.conf"]);
    expect(names("users/bob")).toEqual(["one.txt"]);
    expect(names("users/bob/in")).toEqual([null]);
  });
});
