/** Calls that fail, each with another errno, while garbage is made; also as a thread's main. */
import { Errno } from "../../ffi/errno.ts";
import { O } from "../../ffi/fd.ts";
import { lastErrno, libc } from "../../ffi/libc.ts";
import { cPath } from "../helpers/c-path.ts";

declare const self: Worker;

const missing = cPath("/no/such/file");
const notDirectory = cPath("/proc/self/exe/x");

const failures: readonly (readonly [() => number, number])[] = [
  [() => libc.open(missing, O.RDONLY, 0), Errno.ENOENT],
  [() => libc.close(-1), Errno.EBADF],
  [() => libc.open(notDirectory, O.RDONLY, 0), Errno.ENOTDIR],
  [() => libc.eventfd(0, 0x7fff_ffff), Errno.EINVAL],
];

/** @returns how many calls left something else than what they fail with */
export function countWrongErrnos(calls: number): number {
  let wrong = 0;
  let garbage: unknown[] = [];
  for (let i = 0; i < calls; i++) {
    const [call, errno] = failures[i % failures.length]!;
    garbage.push({ i, text: `${i}`, bytes: new Uint8Array(64) });
    if (call() !== -1 || lastErrno() !== errno) wrong++;
    if (garbage.length > 1000) garbage = [];
    if (i % 20_000 === 0) Bun.gc(true);
  }
  return wrong;
}

if (!Bun.isMainThread) {
  self.onmessage = ({ data }: MessageEvent<number>) => postMessage(countWrongErrnos(data));
}
