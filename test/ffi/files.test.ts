/** Identity, kind and names of files, on the real kernel. */
import { describe, expect, test } from "bun:test";
import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { libc } from "../../ffi/libc.ts";
import { Fd, O, openFd, setCloseOnExec } from "../../ffi/fd.ts";
import {
  descriptorStatus,
  DT_DIR,
  DT_LNK,
  DT_REG,
  fileStatus,
  listDirectory,
  mountNumber,
  readLink,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
} from "../../ffi/files.ts";
import { cPath } from "../helpers/c-path.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** "major:minor:inode" as Node's stat has it: glibc's makedev(3) packs both into st_dev. */
function inodeOf(path: string): string {
  const { dev, ino } = lstatSync(path, { bigint: true });
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xffff_f000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffff_ff00n);
  return `${major}:${minor}:${ino}`;
}

function namesIn(path: string): string[] {
  const names: string[] = [];
  listDirectory(cPath(path), (name) => names.push(Buffer.from(name).toString("latin1")));
  return names.sort();
}

/** What this process has open, by the names that /proc gives it. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").map(targetOf);
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // the one that listed the directory
  }
}

describe("fileStatus", () => {
  test("tells kind, size and an inode that stat agrees with", () => {
    using dir = tempDir();
    const file = dir.write("file", "12345");
    const status = fileStatus(cPath(file));
    const { ctimeNs, mtimeNs, birthtimeNs } = statSync(file, { bigint: true });
    expect(status).toEqual({
      kind: S_IFREG,
      size: 5,
      inode: inodeOf(file),
      changed: Number(ctimeNs / 1000n),
      modified: Number(mtimeNs / 1000n),
      born: Number(birthtimeNs / 1000n),
    });
    expect(fileStatus(cPath(dir.path)).kind).toBe(S_IFDIR);
    expect(fileStatus(cPath("/dev/null")).kind).toBe(S_IFCHR);
  });

  test("agrees with stat on other filesystems", () => {
    for (const path of ["/", "/proc", "/dev", "/sys"]) {
      expect(fileStatus(cPath(path)).inode).toBe(inodeOf(path));
    }
  });

  test("follows a symbolic link unless told otherwise", () => {
    using dir = tempDir();
    const file = dir.write("file");
    symlinkSync(file, dir.join("link"));
    const link = cPath(dir.path, "link");
    expect(fileStatus(link)).toEqual(fileStatus(cPath(file)));
    expect(fileStatus(link, { followSymlink: false }).kind).toBe(S_IFLNK);
  });

  test("gives two hard links one inode, and two files two", () => {
    using dir = tempDir();
    const a = dir.write("a");
    Bun.spawnSync(["ln", a, dir.join("b")]);
    expect(fileStatus(cPath(dir.path, "b")).inode).toBe(fileStatus(cPath(a)).inode);
    expect(fileStatus(cPath(dir.write("c"))).inode).not.toBe(fileStatus(cPath(a)).inode);
  });

  test("reads a size past 2^32", () => {
    using dir = tempDir();
    Bun.spawnSync(["truncate", "--size=5G", dir.join("sparse")]);
    expect(fileStatus(cPath(dir.path, "sparse")).size).toBe(5 * 2 ** 30);
  });

  test("throws what is wrong with the path", () => {
    using dir = tempDir();
    const file = dir.write("file");
    expect(() => fileStatus(cPath(dir.path, "none"))).toThrow("statx: no such file or directory");
    expect(() => fileStatus(cPath(file, "below"))).toThrow("statx: not a directory");
    expect(() => fileStatus(cPath(dir.path, "n".repeat(256)))).toThrow("statx: file name too long");
  });
});

describe("descriptorStatus", () => {
  test("tells what is behind a descriptor, also when its name is gone", () => {
    using dir = tempDir();
    const path = dir.write("file", "123");
    using fd = openFd(cPath(path), O.RDONLY);
    const { changed: _, ...before } = fileStatus(cPath(path));
    Bun.spawnSync(["rm", path]); // which is a change, too
    expect(descriptorStatus(fd.number)).toMatchObject(before);
  });

  test("knows a FIFO", () => {
    using dir = tempDir();
    Bun.spawnSync(["mkfifo", dir.join("fifo")]);
    using fd = openFd(cPath(dir.path, "fifo"), O.RDONLY | O.NONBLOCK);
    expect(descriptorStatus(fd.number).kind).toBe(S_IFIFO);
  });

  test("throws EBADF", () => {
    expect(() => descriptorStatus(9999)).toThrow("statx: bad file descriptor");
  });
});

describe("readLink", () => {
  test("gives the bytes of the target", () => {
    using dir = tempDir();
    symlinkSync("../some where", dir.join("link"));
    expect(Buffer.from(readLink(cPath(dir.path, "link"))).toString()).toBe("../some where");
  });

  test("gives the longest target whole", () => {
    using dir = tempDir();
    const target = `${"d".repeat(254)}/`.repeat(16).slice(0, 4095);
    symlinkSync(target, dir.join("link"));
    expect(Buffer.from(readLink(cPath(dir.path, "link"))).toString()).toBe(target);
  });

  test("throws EINVAL about something else", () => {
    expect(() => readLink(cPath("/"))).toThrow("readlink: invalid argument");
  });
});

describe("listDirectory", () => {
  test("finds every one of 5,000 entries once", () => {
    using dir = tempDir();
    const names = Array.from({ length: 5000 }, (_, i) => `entry-${i}-${"x".repeat(i % 200)}`);
    for (const name of names) writeFileSync(dir.join(name), "");
    expect(namesIn(dir.path)).toEqual(names.sort());
  });

  test("leaves . and .. out, and no other name with dots", () => {
    using dir = tempDir();
    for (const name of ["...", ".a", "..a", "a.", "-"]) dir.write(name);
    expect(namesIn(dir.path)).toEqual(["-", "...", "..a", ".a", "a."]);
    expect(namesIn(dir.mkdir("empty"))).toEqual([]);
  });

  test("gives names byte for byte", () => {
    using dir = tempDir();
    const names = [
      Uint8Array.of(0xff),
      Uint8Array.of(0xc3, 0x28, 0x0a),
      new Uint8Array(255).fill(0xfe),
    ];
    for (const name of names) openFd(cPath(dir.path, name), O.WRONLY | O.CREAT, 0o600).close();
    expect(namesIn(dir.path)).toEqual(["\xc3(\n", "\xfe".repeat(255), "\xff"]);
  });

  test("tells what each entry is", () => {
    using dir = tempDir();
    dir.write("file");
    dir.mkdir("directory");
    symlinkSync("file", dir.join("link"));
    const types = new Map<string, number>();
    listDirectory(cPath(dir.path), (name, type) => types.set(Buffer.from(name).toString(), type));
    expect(Object.fromEntries(types)).toEqual({ file: DT_REG, directory: DT_DIR, link: DT_LNK });
  });

  test("goes on where it was when visit lists another directory", () => {
    using dir = tempDir();
    const outer = Array.from({ length: 3000 }, (_, i) => `outer-${i}`).sort();
    for (const name of outer) writeFileSync(dir.join(name), "");
    const other = dir.mkdir("other");
    for (let i = 0; i < 300; i++) writeFileSync(`${other}/inner-${i}`, "");
    const seen: string[] = [];
    listDirectory(cPath(dir.path), (name) => {
      seen.push(Buffer.from(name).toString());
      if (seen.length % 100 === 0) expect(namesIn(other)).toHaveLength(300);
    });
    expect(seen.sort()).toEqual(["other", ...outer]);
  });

  test("gives visit names that stay as they are", () => {
    using dir = tempDir();
    dir.write("kept");
    const kept: Uint8Array[] = [];
    listDirectory(cPath(dir.path), (name) => kept.push(name));
    namesIn("/usr/bin");
    expect(Buffer.from(kept[0]!).toString()).toBe("kept");
  });

  test("leaves no descriptor open, also when visit throws", () => {
    using dir = tempDir();
    dir.write("file");
    const failing = () =>
      listDirectory(cPath(dir.path), () => {
        throw new Error("enough");
      });
    expect(failing).toThrow("enough");
    namesIn(dir.path);
    expect(openFiles()).not.toContain(dir.path);
  });

  test("throws ENOENT and ENOTDIR about the path", () => {
    using dir = tempDir();
    expect(() => namesIn(dir.join("none"))).toThrow("open: no such file or directory");
    expect(() => namesIn(dir.write("file"))).toThrow("open: not a directory");
  });
});

test("setCloseOnExec marks one descriptor, and is silent about a closed one", () => {
  using source = openFd(cPath("/dev/null"), O.RDONLY);
  using other = new Fd(libc.dup2(source.number, 900)); // dup2(2) clears close-on-exec
  using marked = new Fd(libc.dup2(source.number, 901));
  setCloseOnExec(901);
  setCloseOnExec(902);
  expect([other, marked].map(isCloseOnExec)).toEqual([false, true]);
});

function isCloseOnExec(fd: Fd): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${fd.number}`, "utf8");
  return (parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8) & O.CLOEXEC) !== 0;
}

needsRoot("mounts a filesystem")(
  "mountNumber tells a mount from the one before it at the same place",
  () => {
    const dir = tempDir();
    const path = cPath(dir.join("m"));
    const first = mountTmpfs(dir.join("m"));
    const before = mountNumber(path)!;
    expect(mountNumber(path)).toBe(before);
    first[Symbol.dispose]();
    mountTmpfs(dir.join("m"));
    expect(mountNumber(path)).toBeGreaterThan(before);
    expect(mountNumber(cPath(dir.join("missing")))).toBeNull();
  },
);
