/** What the kernel is asked for: the union of the rules on an inode, and never what it refuses. */
import { describe, expect } from "bun:test";
import { renameSync, statSync } from "node:fs";
import {
  FAN_ATTRIB,
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_DELETE,
  FAN_EVENT_ON_CHILD,
  FAN_MODIFY,
  FAN_ONDIR,
} from "../../ffi/fanotify/abi.ts";
import { IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_MODIFY } from "../../ffi/inotify/abi.ts";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { kernelMarks, markOn } from "../reader/fdinfo.ts";

const rootTest = needsRoot("uses fanotify");

async function start(dir: TempDir, table: string): Promise<RunningBinary> {
  return runBinary(["-c", dir.write("table", table)], { cwd: dir.path }).ready();
}

async function reload(facron: RunningBinary, dir: TempDir, table: string): Promise<void> {
  const reloads = () => facron.log.match(/^facron: reloaded/gm)?.length ?? 0;
  const before = reloads();
  dir.write("table", table);
  facron.signal("SIGUSR1");
  await waitFor(() => reloads() > before, { what: "the reload", state: () => facron.log });
}

/** The bits of `names` in a mask, to look away from what facron adds to keep its tree. */
function has(mask: number | undefined, bits: number): boolean {
  return mask !== undefined && (mask & bits) === bits;
}

function inodeOf(path: string): number {
  return statSync(path).ino;
}

describe("an inode that two rules watch", () => {
  rootTest("has one mark with the union of both, with each backend", async () => {
    const dir = tempDir();
    const d = dir.mkdir("D");
    await using facron = await start(
      dir,
      `D IN_CREATE\nD IN_DELETE\nD FAN_CREATE\nD FAN_MODIFY|FAN_EVENT_ON_CHILD\n`,
    );
    const marks = kernelMarks(facron.pid);
    expect(marks.map(({ backend }) => backend).sort()).toEqual(["fanotify", "inotify"]);
    const inotify = marks.find(({ backend }) => backend === "inotify")!;
    const fanotify = marks.find(({ backend }) => backend === "fanotify")!;
    expect(has(inotify.mask, IN_CREATE | IN_DELETE)).toBe(true);
    expect(inotify.mask & (IN_MODIFY | IN_CLOSE_WRITE)).toBe(0);
    expect(has(fanotify.mask, FAN_CREATE | FAN_MODIFY)).toBe(true);
    expect(fanotify.mask & (FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_DELETE)).toBe(0);
    expect(markOn(facron.pid, d)).toBeDefined();
  });

  rootTest("has the union also when it is watched by two paths", async () => {
    const dir = tempDir();
    dir.write("D/f");
    Bun.spawnSync(["ln", dir.join("D/f"), dir.join("D/g")]);
    await using facron = await start(
      dir,
      `D/f IN_MODIFY\nD/g IN_CLOSE_WRITE\nD/f FAN_MODIFY\nD/g FAN_CLOSE_WRITE\n`,
    );
    const { ino } = statSync(dir.join("D/f"));
    const marks = kernelMarks(facron.pid).filter((mark) => mark.ino === ino);
    expect(marks.map(({ backend }) => backend).sort()).toEqual(["fanotify", "inotify"]);
    for (const { mask } of marks) expect(has(mask, IN_MODIFY | IN_CLOSE_WRITE)).toBe(true);
  });
});

describe("FAN_EVENT_ON_CHILD and FAN_ONDIR", () => {
  rootTest("are never on the mark of a file, which the kernel would refuse", async () => {
    const dir = tempDir();
    const file = dir.write("D/f");
    const fifo = dir.join("D/fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    const mask = "FAN_MODIFY|FAN_EVENT_ON_CHILD|FAN_ONDIR,FAN_CREATE|FAN_ONDIR";
    await using facron = await start(dir, `D/f ${mask}\nD/fifo ${mask}\n`);
    for (const path of [file, fifo]) {
      const { mask } = markOn(facron.pid, path)!;
      expect(has(mask, FAN_MODIFY)).toBe(true);
      // FAN_EVENT_ON_CHILD is there all the same: with FAN_REPORT_DIR_FID the kernel adds it to the
      // marks of files itself, to find their parents; asked for by us it is ENOTDIR.
      expect(mask & (FAN_ONDIR | FAN_CREATE)).toBe(0);
    }
    expect(facron.log).not.toContain("warning");
  });

  rootTest("are on the mark of a directory if one rule asks for them", async () => {
    const dir = tempDir();
    const [d, e] = [dir.mkdir("D"), dir.mkdir("E")];
    await using facron = await start(
      dir,
      `D FAN_MODIFY\nD FAN_OPEN|FAN_EVENT_ON_CHILD\nE FAN_CREATE\n`,
    );
    expect(has(markOn(facron.pid, d)!.mask, FAN_EVENT_ON_CHILD)).toBe(true);
    expect(markOn(facron.pid, e)!.mask & FAN_EVENT_ON_CHILD).toBe(0);
  });
});

describe("a directory that no rule wants anything of", () => {
  const rule = (backend: string, key: string): string =>
    `[[rule]]\nwatch = "D"\nrecursive = true\nbackend = "${backend}"\n` +
    `on = ["create", "open", "attrib"]\n${key}\n`;
  const excludes = 'exclude = "out/"';

  for (const backend of ["fanotify", "inotify"]) {
    for (const key of [excludes, 'ignore_files = ".gitignore"']) {
      rootTest(`has no mark, nor what is below it: ${backend}, ${key}`, async () => {
        const dir = tempDir();
        for (const name of ["D/in/a", "D/out/b"]) dir.mkdir(name);
        dir.write("D/.gitignore", "out/\n");
        await using facron = await start(dir, rule(backend, key));
        const watched = ["D", "D/in", "D/in/a"].map((name) => inodeOf(dir.join(name)));
        expect(
          kernelMarks(facron.pid)
            .map(({ ino }) => ino)
            .sort(),
        ).toEqual(watched.sort());
      });
    }
  }

  rootTest("has one if another rule does want something of it", async () => {
    const dir = tempDir();
    dir.mkdir("D/out/b");
    await using facron = await start(dir, rule("inotify", excludes) + rule("inotify", ""));
    expect(markOn(facron.pid, dir.join("D/out/b"))).toBeDefined();
  });
});

describe("a reload", () => {
  rootTest("keeps the descriptors and marks of what stays", async () => {
    const dir = tempDir();
    for (const name of ["A", "B", "C"]) dir.mkdir(name);
    const table = "A IN_CREATE\nB IN_CREATE\nB FAN_CREATE\nC FAN_CREATE\n";
    await using facron = await start(dir, table);
    const before = kernelMarks(facron.pid);
    await reload(facron, dir, table);
    await reload(facron, dir, `# moved down by a line\n${table}`);
    expect(kernelMarks(facron.pid)).toEqual(before);
  });

  rootTest("changes a mask in place, to more and to less", async () => {
    const dir = tempDir();
    const d = dir.mkdir("D");
    await using facron = await start(dir, "D IN_CREATE\n");
    const before = markOn(facron.pid, d)!;
    await reload(facron, dir, "D IN_CREATE\nD IN_CLOSE_WRITE\n");
    const more = markOn(facron.pid, d)!;
    expect([more.wd, more.mask]).toEqual([before.wd, before.mask | IN_CLOSE_WRITE]);
    await reload(facron, dir, "D IN_CREATE\n");
    expect(markOn(facron.pid, d)).toEqual(before);
  });

  rootTest("changes a fanotify mask in place, to more and to less", async () => {
    const dir = tempDir();
    const d = dir.mkdir("D");
    await using facron = await start(dir, "D FAN_CREATE\n");
    const before = markOn(facron.pid, d)!;
    await reload(facron, dir, "D FAN_CREATE\nD FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD\n");
    expect(markOn(facron.pid, d)!.mask).toBe(
      (before.mask | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD) >>> 0,
    );
    await reload(facron, dir, "D FAN_CREATE\n");
    expect(markOn(facron.pid, d)).toEqual(before);
  });

  rootTest(
    "takes the marks of directories that are excluded from now on, and leaves the others",
    async () => {
      const dir = tempDir();
      for (const name of ["D/in/a", "D/out/b"]) dir.mkdir(name);
      const table = (exclude: string): string =>
        `[[rule]]\nwatch = "D"\nrecursive = true\non = "create"\nexclude = "${exclude}"\n`;
      await using facron = await start(dir, table("none"));
      const before = kernelMarks(facron.pid);
      expect(before).toHaveLength(5);
      await reload(facron, dir, table("out"));
      const gone = new Set([dir.join("D/out"), dir.join("D/out/b")].map(inodeOf));
      expect(kernelMarks(facron.pid)).toEqual(before.filter(({ ino }) => !gone.has(ino)));
      await reload(facron, dir, table("none"));
      expect(
        kernelMarks(facron.pid)
          .map(({ ino }) => ino)
          .sort(),
      ).toEqual(before.map(({ ino }) => ino).sort());
    },
  );

  rootTest("takes the marks of what is no longer wanted away", async () => {
    const dir = tempDir();
    for (const name of ["A", "B"]) dir.mkdir(name);
    await using facron = await start(dir, "A IN_CREATE\nB IN_CREATE\nA FAN_CREATE\nB FAN_CREATE\n");
    await reload(facron, dir, "B FAN_CREATE\n");
    expect(kernelMarks(facron.pid).map(({ backend }) => backend)).toEqual(["fanotify"]);
    expect(markOn(facron.pid, dir.join("A"))).toBeUndefined();
  });
});

describe.each(["FAN", "IN"])(
  "of a watched file that has another path by now, no %s mark",
  (kind) => {
    const inodesWithMarks = ({ pid }: RunningBinary): number[] =>
      kernelMarks(pid)
        .map(({ ino }) => ino)
        .sort();

    rootTest("stays on the file", async () => {
      const dir = tempDir({ on: "disk" });
      dir.write("D/f", "0");
      await using facron = await start(dir, `D/f ${kind}_CLOSE_WRITE\n`);
      const appeared = (): number => facron.events.filter(({ synthetic }) => synthetic).length;
      for (let n = 1; n <= 5; n++) {
        renameSync(dir.join("D/f"), dir.join(`D/f.${n}`));
        dir.write("D/new", String(n));
        renameSync(dir.join("D/new"), dir.join("D/f"));
        await waitFor(() => appeared() === n, { what: `version ${n}`, state: () => facron.log });
      }
      const expected = [dir.join("D"), dir.join("D/f")].map(inodeOf).sort();
      await waitFor(() => Bun.deepEquals(inodesWithMarks(facron), expected), {
        what: "the marks of the older versions to go",
        state: () => `${inodesWithMarks(facron).join()} are not ${expected.join()}`,
      });
    });

    rootTest("stays on the directory that it was in", async () => {
      const dir = tempDir({ on: "disk" });
      dir.write("D/f", "0");
      await using facron = await start(dir, `D/f ${kind}_CLOSE_WRITE\n`);
      renameSync(dir.join("D"), dir.join("E"));
      await facron.waitForLog(/no longer/);
      dir.write("D/f", "1");
      await facron.waitForEvent("the new file", ({ path }) => path === dir.join("D/f"));
      const expected = [dir.join("D"), dir.join("D/f")].map(inodeOf);
      await waitFor(() => expected.every((ino) => inodesWithMarks(facron).includes(ino)), {
        what: "the marks on the new ones",
      });
      for (const path of ["E", "E/f"])
        expect(inodesWithMarks(facron)).not.toContain(inodeOf(dir.join(path)));
    });
  },
);
