/** clock_gettime(2): the wall clock in microseconds, which Date does not have. */
import { libc } from "./libc.ts";

export const CLOCK_REALTIME = 0;
const timespec = new Uint8Array(16);
const view = new DataView(timespec.buffer);

/** Microseconds since 1970; exact in a double until the year 2255. */
export function nowMicroseconds(): number {
  libc.clock_gettime(CLOCK_REALTIME, timespec); // cannot fail for this clock
  const seconds = view.getUint32(0, true) + view.getInt32(4, true) * 0x1_0000_0000;
  return seconds * 1e6 + Math.floor(view.getUint32(8, true) / 1000);
}
