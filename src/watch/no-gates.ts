/** Whether gates can be at a place at all, by the filesystem that it is on: before any mark is tried. */
import { cString } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { permissionMarkCall } from "../../ffi/fanotify/permission.ts";
import { filesystemType, PROC_SUPER_MAGIC } from "../../ffi/statfs.ts";
import { causeOf, isOfGate } from "./explain.ts";
import { refuseRemote } from "./remote-filesystems.ts";

/** @returns the state and the cure, as behind a colon; null if they can, or nothing is there yet */
export function whyNoGates(path: Uint8Array): string | null {
  const terminated = cString(path);
  try {
    refuseRemote(terminated);
    if (filesystemType(terminated) !== PROC_SUPER_MAGIC) return null;
    throw new SyscallError(permissionMarkCall, Errno.EINVAL); // FS_DISALLOW_NOTIFY_PERM
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return isOfGate(error) ? causeOf(error, "fanotify") : null;
  }
}
