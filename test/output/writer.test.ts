/** The way to stdout: whatever is behind the descriptor, nothing waits and nothing goes missing unsaid. */
import { describe, expect, test } from "bun:test";
import { readFileSync, unlinkSync } from "node:fs";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { check, Errno } from "../../ffi/errno.ts";
import { Fd, O, openFd, readNow, statusFlags, writeNow } from "../../ffi/fd.ts";
import { addressOf, libc } from "../../ffi/libc.ts";
import { POLLERR, POLLOUT, pollOne } from "../../ffi/poll.ts";
import { Writer } from "../../src/output/writer.ts";
import { randomBytes, seededRandom } from "../contract/random.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { cPath } from "../helpers/c-path.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { openPipe } from "../helpers/pipe.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("mounts a filesystem");

const F_SETFL = 4;
const RLIMIT_NOFILE = 7;
const socketpairNumber = process.arch === "arm64" ? 199 : 53;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

const buffer = new Uint8Array(256 * 1024);

/** `count` lines of some 60 bytes with their number. */
function numbered(count: number, from = 1): Uint8Array {
  const lines = Array.from({ length: count }, (_, i) => `line ${from + i} ${"x".repeat(50)}\n`);
  return utf8(lines.join(""));
}

/** A blocking pipe, as a shell makes it; reading it from here does not block. */
function shellPipe() {
  const pipe = openPipe();
  check(libc.fcntl(pipe.read.number, F_SETFL, O.NONBLOCK), "fcntl");
  return pipe;
}

/** What can be read now. */
function takeAll(fd: Fd): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let n = readNow(fd.number, buffer); n > 0; n = readNow(fd.number, buffer)) {
    pieces.push(buffer.slice(0, n));
  }
  return Buffer.concat(pieces);
}

/** Read and flush by turns until nothing is kept any more. */
function drain(writer: Writer, read: Fd): Uint8Array {
  const pieces = [takeAll(read)];
  while (writer.backlogBytes > 0) {
    writer.handlePoll(pollOne(writer.pollFd, writer.pollEvents, 1000));
    pieces.push(takeAll(read));
  }
  return Buffer.concat(pieces);
}

function newWriter(fd: number): Writer {
  const writer = new Writer(fd);
  atTestEnd(() => writer.close());
  return writer;
}

/** The blocking end of a pair of sockets, and the other one. */
function socketPair(): { ours: Fd; theirs: Fd } {
  const fds = new Int32Array(2);
  const where = BigInt(addressOf(fds));
  check(
    libc.syscall(socketpairNumber, AF_UNIX, SOCK_STREAM as never, 0, where, null),
    "socketpair",
  );
  const [ours, theirs] = [new Fd(fds[0]!), new Fd(fds[1]!)];
  atTestEnd(() => (ours.close(), theirs.close()));
  check(libc.fcntl(theirs.number, F_SETFL, O.NONBLOCK), "fcntl");
  return { ours, theirs };
}

/** Run with no descriptor to spare: what cannot be opened again must do as it is. */
function withoutDescriptors<T>(run: () => T): T {
  const before = new BigUint64Array(2);
  const none = new BigUint64Array(2);
  check(libc.prlimit(0, RLIMIT_NOFILE, null, addressOf(before) as never), "prlimit");
  none.set([3n, before[1]!]);
  check(libc.prlimit(0, RLIMIT_NOFILE, addressOf(none) as never, null), "prlimit");
  try {
    return run();
  } finally {
    check(libc.prlimit(0, RLIMIT_NOFILE, addressOf(before) as never, null), "prlimit");
  }
}

interface Stream {
  readonly write: number;
  readonly read: Fd;
  readonly end: () => void;
  readonly make: (fd: number) => Writer;
}

const streams: Record<string, () => Stream> = {
  "a pipe": () => {
    const { write, read } = shellPipe();
    return { write: write.number, read, end: () => read.close(), make: newWriter };
  },
  "a pipe that cannot be opened again": () => {
    const { write, read } = shellPipe();
    const make = (fd: number) => withoutDescriptors(() => newWriter(fd));
    return { write: write.number, read, end: () => read.close(), make };
  },
  "a socket": () => {
    const { ours, theirs } = socketPair();
    return { write: ours.number, read: theirs, end: () => theirs.close(), make: newWriter };
  },
};

describe.each(Object.keys(streams))("a Writer on %s", (kind) => {
  const open = () => {
    const stream = streams[kind]!();
    return { ...stream, writer: stream.make(stream.write) };
  };

  test("writes at once", () => {
    const { writer, read } = open();
    writer.write(utf8("a\n"));
    writer.write(utf8("b\n"));
    expect(latin1(takeAll(read))).toBe("a\nb\n");
    expect(writer.backlogBytes).toBe(0);
  });

  test("keeps what a full one does not take, and gives it later in order", () => {
    const { writer, read } = open();
    const all = numbered(100_000); // some 6 MB
    const third = all.length / 3;
    for (const at of [0, 1, 2]) {
      writer.write(all.subarray(Math.floor(at * third), Math.floor((at + 1) * third)));
    }
    expect(writer.backlogBytes).toBeGreaterThan(0);
    expect(writer.pollEvents).toBe(POLLOUT);
    expect(Buffer.compare(drain(writer, read), all)).toBe(0);
    expect(writer.pollEvents).toBe(0);
  });

  test("keeps a copy: the bytes are reused by their owner", () => {
    const { writer, read } = open();
    const bytes = new Uint8Array(4_000_000).fill(0x61);
    writer.write(bytes);
    bytes.fill(0x62);
    expect(drain(writer, read).includes(0x62)).toBe(false);
  });

  test("keeps the order for a reader that takes a little now and then", () => {
    const random = seededRandom();
    const { writer, read } = open();
    const written: Uint8Array[] = [];
    const got: Uint8Array[] = [];
    for (let i = 0; i < 300; i++) {
      const bytes = randomBytes(random, random.below(20_000));
      writer.write(bytes);
      written.push(bytes);
      const part = new Uint8Array(1 + random.below(15_000));
      const count = readNow(read.number, part);
      if (count > 0) got.push(part.subarray(0, count));
      if (random.chance(0.5)) writer.handlePoll(pollOne(writer.pollFd, writer.pollEvents, 0));
    }
    got.push(drain(writer, read));
    expect(Buffer.compare(Buffer.concat(got), Buffer.concat(written))).toBe(0);
  });

  test("leaves the flags of the descriptor alone, which others share", () => {
    const { writer, write } = open();
    const before = statusFlags(write);
    writer.write(new Uint8Array(3_000_000));
    expect(statusFlags(write)).toBe(before);
    expect(before & O.NONBLOCK).toBe(0);
  });

  test("is gone when its reader is", () => {
    const { writer, end } = open();
    writer.write(utf8("a\n"));
    end();
    writer.write(utf8("b\n"));
    expect(writer.isGone).toBe(true);
    writer.write(utf8("c\n"));
    writer.flush();
    expect([writer.takeFailure(), writer.flushWithin(1000)]).toEqual([null, 0]);
  });

  test("hears from poll that its reader went, without anything to write", () => {
    const { writer, end } = open();
    expect(pollOne(writer.pollFd, writer.pollEvents, 0)).toBe(0);
    end();
    const happened = pollOne(writer.pollFd, writer.pollEvents, 1000);
    expect(happened).not.toBe(0);
    writer.handlePoll(happened);
    expect(writer.isGone).toBe(true);
  });

  test("is gone when its reader goes while something is kept", () => {
    const { writer, end } = open();
    writer.write(new Uint8Array(3_000_000));
    end();
    writer.flush();
    expect([writer.isGone, writer.flushWithin(10)]).toEqual([true, 0]);
  });
});

describe("flushWithin", () => {
  test("waits for a slow reader", async () => {
    const { read, write } = openPipe();
    const out = tempDir().join("out");
    const reader = Bun.spawn(["/bin/cat"], { stdin: read.number, stdout: Bun.file(out) });
    read.close();
    const writer = newWriter(write.number);
    const all = numbered(100_000);
    writer.write(all);
    expect(writer.flushWithin(20_000)).toBe(0);
    writer.close();
    write.close();
    await reader.exited;
    expect(Buffer.compare(readFileSync(out), all)).toBe(0);
  });

  test("gives up at the deadline, and counts each line that was not written whole", () => {
    const { read, write } = shellPipe();
    const writer = newWriter(write.number);
    writer.write(numbered(60_000));
    const first = takeAll(read); // makes room for a part of what is kept
    const linesLost = writer.flushWithin(20);
    const text = latin1(Buffer.concat([first, takeAll(read)]));
    const whole = text.split("\n").length - 1;
    expect(linesLost).toBe(60_000 - whole);
  });

  test("has nothing to do without a backlog", () => {
    expect(newWriter(shellPipe().write.number).flushWithin(60_000)).toBe(0);
  });
});

describe("a Writer on a regular file", () => {
  const open = (flags: number) => {
    const path = tempDir().write("out", "before\n");
    const fd = openFd(cPath(path), O.WRONLY | flags);
    atTestEnd(() => fd.close());
    return { path, fd, writer: newWriter(fd.number) };
  };

  test("goes on at the offset that others on the descriptor share", () => {
    const { path, fd, writer } = open(0);
    writer.write(utf8("one\n"));
    writeNow(fd.number, utf8("shell\n"));
    writer.write(utf8("two\n"));
    expect(readFileSync(path, "utf8")).toBe("one\nshell\ntwo\n");
  });

  test("appends where the descriptor does", () => {
    const { path, writer } = open(O.APPEND);
    writer.write(utf8("one\n"));
    Bun.spawnSync(["/bin/sh", "-c", `echo shell >>${path}`]);
    writer.write(utf8("two\n"));
    expect(readFileSync(path, "utf8")).toBe("before\none\nshell\ntwo\n");
  });

  test("is nothing to wait for, and not gone when it is deleted", () => {
    const { path, writer } = open(0);
    unlinkSync(path);
    writer.write(utf8("one\n"));
    expect([writer.pollFd, writer.isGone, writer.backlogBytes]).toEqual([-1, false, 0]);
  });
});

describe("a Writer loses lines", () => {
  test("on a full device, counts them, tells it once, and goes on trying", () => {
    const fd = openFd(cPath("/dev/full"), O.WRONLY);
    atTestEnd(() => fd.close());
    const writer = newWriter(fd.number);
    writer.write(utf8("one\ntwo\n"));
    writer.write(utf8("three\n"));
    const failure = writer.takeFailure();
    expect([failure?.error.errno, failure?.lines]).toEqual([Errno.ENOSPC, 3]);
    expect([writer.takeFailure(), writer.backlogBytes, writer.isGone]).toEqual([null, 0, false]);
    writer.write(utf8("four\n"));
    expect(writer.takeFailure()?.lines).toBe(1);
  });

  rootTest("on a full disk, and glues no later line to one that was cut", () => {
    const dir = tempDir();
    const mount = mountTmpfs(dir.join("small"), "size=64k");
    const fd = openFd(cPath(`${mount.path}/out`), O.WRONLY | O.CREAT | O.APPEND, 0o644);
    const writer = newWriter(fd.number);
    const ballast = dir.write("small/ballast", "x".repeat(32 * 1024));
    writer.write(numbered(1000));
    const lost = writer.takeFailure()!.lines;
    unlinkSync(ballast);
    writer.write(numbered(10, 2001));
    const lines = readFileSync(`${mount.path}/out`, "utf8").split("\n").slice(0, -1);
    fd.close();
    writer.close();
    const whole = lines.filter((line) => /^line \d+ x{50}$/.test(line));
    expect(lost).toBeGreaterThan(0);
    expect(whole.length).toBe(1000 - lost + 10);
    expect(whole.slice(-10).map((line) => line.split(" ")[1])).toEqual(
      Array.from({ length: 10 }, (_, i) => `${2001 + i}`),
    );
  });
});

test("a Writer on a descriptor that is closed takes everything and does nothing", () => {
  const { write } = openPipe();
  const { number } = write;
  write.close();
  const writer = newWriter(number);
  writer.write(utf8("a\n"));
  writer.flush();
  expect([writer.pollFd, writer.isGone, writer.backlogBytes]).toEqual([-1, false, 0]);
});

test("a Writer made for a pipe without a reader is gone with the first poll", () => {
  const { read, write } = openPipe();
  read.close();
  const writer = newWriter(write.number);
  const happened = pollOne(writer.pollFd, writer.pollEvents, 1000);
  expect(happened & POLLERR).toBe(POLLERR);
  writer.handlePoll(happened);
  expect(writer.isGone).toBe(true);
});
