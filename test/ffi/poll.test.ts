/** Waiting, and waking who waits, on the real kernel. */
import { describe, expect, test } from "bun:test";
import { clearEventfd, openEventfd, signalEventfd } from "../../ffi/eventfd.ts";
import { bytesReadable, readNow, writeNow } from "../../ffi/fd.ts";
import { POLLERR, POLLHUP, POLLIN, POLLNVAL, pollOne, POLLOUT, PollSet } from "../../ffi/poll.ts";
import { text } from "../helpers/bytes.ts";
import { openPipe } from "../helpers/pipe.ts";
import { waitFor } from "../helpers/wait-for.ts";

describe("PollSet", () => {
  test("tells which slots have something and which have not", () => {
    using a = openPipe();
    using b = openPipe();
    const set = new PollSet(3);
    set.set(0, a.read.number, POLLIN);
    set.set(2, b.read.number, POLLIN); // slot 1 stays empty
    writeNow(b.write.number, text("x"));
    expect(set.wait(1000)).toBe(1);
    expect([0, 1, 2].map((slot) => set.happened(slot))).toEqual([0, 0, POLLIN]);
  });

  test("gives 0 at the timeout, and not before", () => {
    using pipe = openPipe();
    const set = new PollSet(1);
    set.set(0, pipe.read.number, POLLIN);
    const start = performance.now();
    expect(set.wait(20)).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(19);
  });

  test("forgets what happened before at the next wait", () => {
    using pipe = openPipe();
    const set = new PollSet(1);
    set.set(0, pipe.read.number, POLLIN);
    writeNow(pipe.write.number, text("x"));
    expect(set.wait(0)).toBe(1);
    readNow(pipe.read.number, new Uint8Array(8));
    expect(set.wait(0)).toBe(0);
    expect(set.happened(0)).toBe(0);
  });

  test("forgets what happened when a slot is set anew", () => {
    using pipe = openPipe();
    const set = new PollSet(1);
    set.set(0, pipe.write.number, POLLOUT);
    expect(set.wait(0)).toBe(1);
    set.set(0, -1, 0);
    expect(set.happened(0)).toBe(0);
    expect(set.wait(0)).toBe(0);
  });

  test("waits for more descriptors than one", () => {
    const pipes = Array.from({ length: 40 }, () => openPipe());
    const set = new PollSet(pipes.length);
    for (const [slot, pipe] of pipes.entries()) set.set(slot, pipe.write.number, POLLOUT);
    expect(set.wait(0)).toBe(40);
    expect(set.happened(39)).toBe(POLLOUT);
  });

  test("goes on waiting after a signal", async () => {
    using pipe = openPipe();
    const handler = () => {};
    process.on("SIGUSR2", handler);
    const script = `sleep 0.05; kill -USR2 ${process.pid}; sleep 0.05; printf x`;
    const child = Bun.spawn(["/bin/sh", "-c", script], { stdout: pipe.write.number });
    expect(pollOne(pipe.read.number, POLLIN, 10_000)).toBe(POLLIN);
    await child.exited;
    process.off("SIGUSR2", handler);
  });
});

describe("pollOne", () => {
  test("tells POLLHUP when the writer is gone", () => {
    using pipe = openPipe();
    pipe.write.close();
    expect(pollOne(pipe.read.number, POLLIN, 1000)).toBe(POLLHUP);
  });

  test("tells POLLERR when the reader is gone, also to one who asks for nothing", () => {
    using pipe = openPipe();
    pipe.read.close();
    expect(pollOne(pipe.write.number, 0, 1000)).toBe(POLLERR);
  });

  test("tells POLLNVAL about a number that is no descriptor", () => {
    expect(pollOne(9999, POLLIN, 1000)).toBe(POLLNVAL);
  });

  test("gives 0 at the timeout", () => {
    using pipe = openPipe();
    expect(pollOne(pipe.read.number, POLLIN, 0)).toBe(0);
  });
});

describe("eventfd", () => {
  test("is readable once signalled, and no more once cleared", () => {
    using fd = openEventfd();
    expect(pollOne(fd.number, POLLIN, 0)).toBe(0);
    signalEventfd(fd.number);
    signalEventfd(fd.number);
    expect(pollOne(fd.number, POLLIN, 0)).toBe(POLLIN);
    clearEventfd(fd.number);
    expect(pollOne(fd.number, POLLIN, 0)).toBe(0);
  });

  test("does not block who clears what nobody signalled", () => {
    using fd = openEventfd();
    clearEventfd(fd.number);
    expect(pollOne(fd.number, POLLIN, 0)).toBe(0);
  });

  test("does not block who signals a full counter", () => {
    using fd = openEventfd();
    const most = new Uint8Array(new BigUint64Array([0xffff_ffff_ffff_fffen]).buffer);
    expect(writeNow(fd.number, most)).toBe(8);
    signalEventfd(fd.number);
    expect(pollOne(fd.number, POLLIN, 0)).toBe(POLLIN);
  });

  test("wakes a thread that waits in poll", async () => {
    using fd = openEventfd();
    using answer = openPipe();
    const thread = new Worker(new URL("./poll-thread.ts", import.meta.url));
    thread.postMessage({ wait: fd.number, answer: answer.write.number });
    await waitFor(() => bytesReadable(answer.read.number) === 1, { what: "the thread to wait" });
    expect(readNow(answer.read.number, new Uint8Array(1))).toBe(1);
    expect(pollOne(answer.read.number, POLLIN, 20)).toBe(0);
    signalEventfd(fd.number);
    expect(pollOne(answer.read.number, POLLIN, 10_000)).toBe(POLLIN);
    thread.terminate();
  });
});
