import { describe, expect, test } from "bun:test";
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, symlinkSync } from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { Errno } from "../../ffi/errno.ts";
import { emptyProgramError, startError } from "../../src/action/start-error.ts";
import { ActionError } from "../../src/errors.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { needsRoot } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { startErrorOf } from "./support.ts";

/** A last word that decides which way is taken. */
const ways: [way: string, word: Uint8Array][] = [
  ["text", utf8("text")],
  ["bytes that are not UTF-8", fromLatin1("\xff")],
];

/** What is made in a directory, and why the program there cannot be started. */
const refusals: [name: string, make: (dir: TempDir) => void, reason: string][] = [
  ["missing", () => {}, "no such file"],
  [
    "interpreter",
    (dir) => dir.write("interpreter", "#!/no/such/sh -e\n", { mode: 0o755 }),
    'the interpreter "/no/such/sh" in its first line does not exist',
  ],
  [
    "dos",
    (dir) => dir.write("dos", "#!/bin/sh\r\n", { mode: 0o755 }),
    `the interpreter "/bin/sh\\r" in its first line does not exist: the file has DOS line ends, remove them with sed -i 's/\\r$//'`,
  ],
  [
    "mode",
    (dir) => dir.write("mode", "#!/bin/sh\n", { mode: 0o644 }),
    "it is not executable: chmod +x makes it so",
  ],
  [
    "interpreter-mode",
    (dir) => dir.write("interpreter-mode", `#!${dir.write("sh")}\n`, { mode: 0o755 }),
    "permission denied: look at its mode, at its interpreter's, and for a mount with noexec",
  ],
  ["directory", (dir) => dir.mkdir("directory"), "it is a directory"],
  [
    "fifo",
    (dir) => Bun.spawnSync(["mkfifo", "-m", "755", dir.join("fifo")]),
    "it is not a regular file",
  ],
  [
    "no-line",
    (dir) => dir.write("no-line", "echo hello\n", { mode: 0o755 }),
    'it has no #! line and facron uses no shell: add "#!/bin/sh" as its first line',
  ],
  ["empty", (dir) => dir.write("empty", "", { mode: 0o755 }), "the file is empty"],
  [
    "damaged",
    (dir) => dir.write("damaged", readFileSync("/bin/sh").subarray(0, 100), { mode: 0o755 }),
    "it is damaged, or built for another processor",
  ],
  ["file/in", (dir) => dir.write("file"), "not a directory"],
  ["loop", (dir) => symlinkSync("loop", dir.join("loop")), "too many levels of symbolic links"],
];

describe.each(ways)("a program that %s cannot start", (_way, lastWord) => {
  test.each(refusals)("%s", async (name, make, reason) => {
    using dir = tempDir();
    make(dir);
    const message = await startErrorOf([utf8(dir.join(name)), lastWord], dir.join("out"));
    expect(message).toBe(`Cannot start "${dir.join(name)}": ${reason}`);
    expect(readFileSync(dir.join("out"), "utf8")).toBe(""); // nothing on stderr
  });

  test("is open for writing", async () => {
    using dir = tempDir();
    copyFileSync("/bin/sh", dir.join("busy"));
    const fd = openSync(dir.join("busy"), "r+");
    const message = await startErrorOf([utf8(dir.join("busy")), lastWord], dir.join("out"));
    closeSync(fd);
    expect(message).toEndWith("the file is open for writing: start it when it has been written");
  });

  test("gets more arguments than the kernel takes", async () => {
    using dir = tempDir();
    const long = utf8("x".repeat(100_000));
    const argv = [utf8("/bin/true"), ...Array<Uint8Array>(100).fill(long), lastWord];
    expect(await startErrorOf(argv, dir.join("out"))).toContain(
      "its arguments and the environment are too long",
    );
  });

  test("has an empty name", async () => {
    using dir = tempDir();
    expect(await startErrorOf([utf8(""), lastWord], dir.join("out"))).toBe(
      'Cannot start "": the first word of the command has to name a program',
    );
  });

  needsRoot("mounts a filesystem")("lies on a filesystem mounted noexec", async () => {
    using dir = tempDir();
    mkdirSync(dir.join("mnt"));
    using _mount = mountTmpfs(dir.join("mnt"), "noexec");
    const program = dir.script("mnt/program", "exit 0");
    expect(await startErrorOf([utf8(program), lastWord], dir.join("out"))).toEndWith(
      "and for a mount with noexec",
    );
  });
});

describe("startError", () => {
  const refused = { program: utf8("/bin/x"), path: utf8("/bin/x") };

  test("names the limits of the system, and the cure", () => {
    const messageOf = (errno: number): string => startError(refused, errno).message;
    expect(messageOf(Errno.EAGAIN)).toContain("raise the limit (TasksMax= in the unit, ulimit -u)");
    expect(messageOf(Errno.ENOMEM)).toContain("out of memory: lower max_running");
    expect(messageOf(Errno.ENFILE)).toContain("sysctl fs.file-max");
  });

  test("falls back on strerror", () => {
    expect(startError(refused, 5).message).toBe('Cannot start "/bin/x": input/output error');
  });

  test("quotes a name that would forge a log line", () => {
    const forged = utf8("/a\nerror: b");
    expect(startError({ program: forged, path: forged }, Errno.ENOENT).message).toBe(
      'Cannot start "/a\\nerror: b": no such file',
    );
  });

  test("is an ActionError, as is the one for an empty name", () => {
    expect(startError(refused, Errno.ENOENT)).toBeInstanceOf(ActionError);
    expect(emptyProgramError()).toBeInstanceOf(ActionError);
  });
});
