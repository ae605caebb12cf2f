/** Descriptors and the calls on them that never block, on the real kernel. */
import { describe, expect, test } from "bun:test";
import { fstatSync, readFileSync, readlinkSync } from "node:fs";
import { SyscallError } from "../../ffi/errno.ts";
import {
  bytesReadable,
  Fd,
  growPipe,
  openPipe as openNonblockingPipe,
  replaceDescriptor,
  setCloseOnExec,
  O,
  openFd,
  readNow,
  statusFlags,
  writeNow,
} from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { text } from "../helpers/bytes.ts";
import { cPath } from "../helpers/c-path.ts";
import { openPipe } from "../helpers/pipe.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** The errno that `call` throws. */
function errnoOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof SyscallError) return error.code;
    throw error;
  }
  return "none";
}

describe("Fd", () => {
  test("closes its descriptor at the end of its scope", () => {
    using dir = tempDir();
    const path = dir.write("file");
    let link: string;
    {
      using fd = openFd(cPath(path), O.RDONLY);
      link = `/proc/self/fd/${fd.number}`;
      expect(readlinkSync(link)).toBe(path);
    }
    expect(targetOf(link)).not.toBe(path);
  });

  test("closes once: a second close leaves the number's next owner alone", () => {
    using source = openFd(cPath("/dev/null"), O.RDONLY);
    const fd = new Fd(libc.dup2(source.number, 900));
    fd.close();
    using next = new Fd(libc.dup2(source.number, 900));
    fd.close();
    fd[Symbol.dispose]();
    expect(fstatSync(next.number).isCharacterDevice()).toBe(true);
  });

  test("has no number once closed", () => {
    const fd = openFd(cPath("/dev/null"), O.RDONLY);
    fd.close();
    expect(errnoOf(() => fd.number)).toBe("EBADF");
    expect(errnoOf(() => new Fd(-1).number)).toBe("EBADF");
  });
});

describe("openFd", () => {
  test("opens close-on-exec whatever the flags", () => {
    using fd = openFd(cPath("/dev/null"), O.WRONLY);
    expect(isCloseOnExec(fd)).toBe(true);
  });

  test("creates a file whose name is not UTF-8, with the mode given", () => {
    using dir = tempDir();
    const name = Uint8Array.of(0xff, 0x0a, 0xfe);
    openFd(cPath(dir.path, name), O.WRONLY | O.CREAT, 0o600).close();
    const { stdout } = Bun.spawnSync(["find", dir.path, "-type", "f", "-printf", "%f %m"]);
    expect([...stdout]).toEqual([...name, ...text(" 600")]);
  });

  test("throws ENOENT, ENOTDIR and ELOOP about the path", () => {
    using dir = tempDir();
    Bun.spawnSync(["ln", "-s", "loop", dir.join("loop")]);
    const file = dir.write("file");
    expect(errnoOf(() => openFd(cPath(dir.path, "none"), O.RDONLY))).toBe("ENOENT");
    expect(errnoOf(() => openFd(cPath(file, "below"), O.RDONLY))).toBe("ENOTDIR");
    expect(errnoOf(() => openFd(cPath(dir.path, "loop"), O.RDONLY))).toBe("ELOOP");
  });
});

describe("readNow", () => {
  test("gives -1 on an empty pipe, bytes when there are some, 0 at the end", () => {
    using pipe = openPipe({ nonblocking: true });
    const buffer = new Uint8Array(8);
    expect(readNow(pipe.read.number, buffer)).toBe(-1);
    writeNow(pipe.write.number, text("hello"));
    expect(readNow(pipe.read.number, buffer)).toBe(5);
    expect(buffer.subarray(0, 5)).toEqual(text("hello"));
    pipe.write.close();
    expect(readNow(pipe.read.number, buffer)).toBe(0);
  });

  test("takes no more than the buffer holds, also in a view", () => {
    using pipe = openPipe({ nonblocking: true });
    writeNow(pipe.write.number, text("hello"));
    const buffer = new Uint8Array(8);
    expect(readNow(pipe.read.number, buffer.subarray(2, 4))).toBe(2);
    expect(buffer).toEqual(Uint8Array.of(0, 0, 0x68, 0x65, 0, 0, 0, 0));
  });

  test("throws EBADF", () => {
    expect(errnoOf(() => readNow(-1, new Uint8Array(1)))).toBe("EBADF");
  });
});

describe("writeNow", () => {
  test("gives -1 when the pipe is full, and what it took before", () => {
    using pipe = openPipe({ nonblocking: true });
    const bytes = new Uint8Array(1 << 20);
    const taken = writeNow(pipe.write.number, bytes);
    expect(taken).toBe(bytesReadable(pipe.read.number));
    expect(taken).toBeLessThan(bytes.length);
    expect(writeNow(pipe.write.number, bytes)).toBe(-1);
  });

  test("takes no bytes from an empty view", () => {
    using pipe = openPipe({ nonblocking: true });
    expect(writeNow(pipe.write.number, new Uint8Array(8).subarray(8))).toBe(0);
  });

  test("throws EPIPE when the reader is gone, and the process lives on", () => {
    using pipe = openPipe({ nonblocking: true });
    pipe.read.close();
    expect(errnoOf(() => writeNow(pipe.write.number, text("x")))).toBe("EPIPE");
  });
});

describe("sendNow", () => {
  test("never blocks on a blocking socket, and throws when it is no socket", async () => {
    const child = new URL("./send-child.ts", import.meta.url).pathname;
    // Bun makes the pipes of its children from socketpair(2).
    await using running = runBinary([child], { command: [process.execPath] });
    expect(await running.exit()).toEqual({ code: 0, signal: null });
    expect(running.log.split("\n")).toEqual([
      "a blocking socket",
      "full",
      "SyscallError: send: socket operation on non-socket",
      "",
    ]);
  });
});

describe("bytesReadable, statusFlags and growPipe", () => {
  test("bytesReadable counts what waits in a pipe", () => {
    using pipe = openPipe();
    expect(bytesReadable(pipe.read.number)).toBe(0);
    writeNow(pipe.write.number, text("12345"));
    expect(bytesReadable(pipe.read.number)).toBe(5);
  });

  test("statusFlags tells how a descriptor was opened", () => {
    using dir = tempDir();
    using log = openFd(cPath(dir.write("log")), O.WRONLY | O.APPEND | O.NONBLOCK);
    const asked = O.WRONLY | O.APPEND | O.NONBLOCK;
    expect(statusFlags(log.number) & (asked | O.RDWR)).toBe(asked);
    expect(errnoOf(() => statusFlags(-1))).toBe("EBADF");
  });

  test("growPipe makes room, and a refusal is no error", () => {
    using pipe = openPipe({ nonblocking: true });
    growPipe(pipe.write.number, 1 << 20);
    expect(writeNow(pipe.write.number, new Uint8Array(1 << 20))).toBe(1 << 20);
    growPipe(pipe.write.number, 1 << 30);
    growPipe(-1, 1 << 20);
  });
});

describe("openPipe, replaceDescriptor and setCloseOnExec", () => {
  test("openPipe gives two ends that do not block and are not inherited", () => {
    const { read, write } = openNonblockingPipe();
    expect(readNow(read.number, new Uint8Array(1))).toBe(-1);
    expect(writeNow(write.number, text("x"))).toBe(1);
    expect(readNow(read.number, new Uint8Array(1))).toBe(1);
    expect([read, write].map(isCloseOnExec)).toEqual([true, true]);
    read.close();
    write.close();
  });

  test("replaceDescriptor makes one what the other is, and it is inherited until told otherwise", () => {
    using dir = tempDir();
    const path = dir.write("file");
    using by = openFd(cPath(path), O.RDONLY);
    using replaced = new Fd(900);
    replaceDescriptor(by.number, 900);
    expect(readlinkSync("/proc/self/fd/900")).toBe(path);
    expect(isCloseOnExec(replaced)).toBe(false);
    setCloseOnExec(900);
    expect(isCloseOnExec(replaced)).toBe(true);
  });

  test("replaceDescriptor throws EBADF, and setCloseOnExec says nothing", () => {
    expect(errnoOf(() => replaceDescriptor(9999, 900))).toBe("EBADF");
    setCloseOnExec(9999);
  });
});

/** What a link in /proc leads to; "" once it is gone. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

function isCloseOnExec(fd: Fd): boolean {
  const info = readFileSync(`/proc/self/fdinfo/${fd.number}`, "utf8");
  return (parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8) & O.CLOEXEC) !== 0;
}
