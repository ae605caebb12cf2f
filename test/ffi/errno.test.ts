/** errno is that of the call just made, whatever else the runtime does. */
import { describe, expect, test } from "bun:test";
import { check, Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { lastErrno, libc } from "../../ffi/libc.ts";
import { countWrongErrnos } from "./errno-load.ts";

describe("SyscallError", () => {
  test("says the call and strerror's words", () => {
    const error = new SyscallError("open", Errno.ENOENT);
    expect(error.message).toBe("open: no such file or directory");
    expect([error.name, error.syscall, error.errno]).toEqual(["SyscallError", "open", 2]);
  });

  test.each(Object.entries(Errno))("code of %s is its name", (name, errno) => {
    expect(new SyscallError("read", errno).code).toBe(name);
  });

  test("code of a number without a name here is the number", () => {
    expect(new SyscallError("read", 133).code).toBe("errno 133");
  });

  test("text of a number that nobody knows says the number", () => {
    expect(errnoText(54_321)).toBe("unknown error 54321");
  });
});

describe("check", () => {
  test("passes a result through", () => {
    expect(check(0, "read")).toBe(0);
    expect(check(17, "read")).toBe(17);
  });

  test("throws what errno says", () => {
    expect(() => check(libc.close(-1), "close")).toThrow("close: bad file descriptor");
  });
});

describe("lastErrno", () => {
  test("stays until another call fails", () => {
    libc.close(-1);
    libc.eventfd(0, 0x7fff_ffff);
    expect(lastErrno()).toBe(Errno.EINVAL);
  });

  test("is right after 100,000 failing calls while garbage is collected", () => {
    expect(countWrongErrnos(100_000)).toBe(0);
  });

  test("is each thread's own", async () => {
    const url = new URL("./errno-load.ts", import.meta.url);
    const threads = [1, 2].map(() => new Worker(url));
    const answers = threads.map(answerOf);
    for (const thread of threads) thread.postMessage(50_000);
    const here = countWrongErrnos(50_000);
    expect([here, ...(await Promise.all(answers))]).toEqual([0, 0, 0]);
    for (const thread of threads) thread.terminate();
  });
});

function answerOf(thread: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    thread.onmessage = ({ data }) => resolve(data);
    thread.onerror = ({ message }) => reject(new Error(message));
  });
}
