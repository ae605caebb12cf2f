/** clock_gettime(2): the wall clock in microseconds, which Date does not have, and the tick of files' times. */
import { libc } from "./libc.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_REALTIME_COARSE = 5;
const timespec = new Uint8Array(16);
const view = new DataView(timespec.buffer);

/** Microseconds since 1970; exact in a double until the year 2255. */
export function nowMicroseconds(): number {
  libc.clock_gettime(CLOCK_REALTIME, timespec); // cannot fail for this clock
  const seconds = view.getUint32(0, true) + view.getInt32(4, true) * 0x1_0000_0000;
  return seconds * 1e6 + Math.floor(view.getUint32(8, true) / 1000);
}

/**
 * clock_getres(2): what a file's time of change may lag behind the change, in microseconds: 10,000 at most
 * (CONFIG_HZ=100). Since Linux 6.13 it is finer where somebody looks (multigrain timestamps).
 */
export function clockTickMicroseconds(): number {
  libc.clock_getres(CLOCK_REALTIME_COARSE, timespec); // cannot fail for this clock
  return Math.ceil(view.getUint32(8, true) / 1000);
}
