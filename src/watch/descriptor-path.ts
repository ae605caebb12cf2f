/** The path that leads to what a descriptor is open on: proc_pid_fd(5). */
import { cString, utf8 } from "../../ffi/bytes.ts";

/** By descriptor: a walk opens the same few numbers again and again. */
const known: (Uint8Array | undefined)[] = [];

const knownMax = 256;

/** @returns NUL-terminated, not to be changed */
export function descriptorPath(fd: number): Uint8Array {
  const path = known[fd] ?? cString(utf8(`/proc/self/fd/${fd}`));
  if (fd < knownMax) known[fd] = path;
  return path;
}
