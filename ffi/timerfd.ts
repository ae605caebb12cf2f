/** timerfd_create(2): a moment to come, as a descriptor that poll(2) waits for. */
import { libc } from "./libc.ts";
import { check } from "./errno.ts";
import { Fd, readNow } from "./fd.ts";

export const CLOCK_MONOTONIC = 1;
export const TFD_CLOEXEC = 0o2000000;
export const TFD_NONBLOCK = 0o4000;

const scratch = new Uint8Array(8);

/** A timer that is not set. @throws {SyscallError} EMFILE, ENFILE */
export function openTimerfd(): Fd {
  return new Fd(
    check(libc.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"),
  );
}

/** Make it readable once, so many milliseconds from now; 0 is at once. */
export function setTimerfd(fd: number, milliseconds: number): void {
  // struct itimerspec: it_interval of two 64-bit words, which stays 0, then it_value.
  const nanoseconds = BigInt(Math.max(1, Math.round(milliseconds * 1e6))); // 0 would unset it
  const times = new BigInt64Array([
    0n,
    0n,
    nanoseconds / 1_000_000_000n,
    nanoseconds % 1_000_000_000n,
  ]);
  check(libc.timerfd_settime(fd, 0, times, null), "timerfd_settime");
}

/** Make it unreadable again. */
export function clearTimerfd(fd: number): void {
  readNow(fd, scratch);
}
