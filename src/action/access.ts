/** `require_access`: whether the kernel lets this process's user read the place that told of an event. */
import { Errno } from "../../ffi/errno.ts";
import { accessError, R_OK, X_OK } from "../../ffi/credentials.ts";

const slash = 0x2f;

/** @param place a directory, or a path that is watched itself; what is gone is judged by what is left above it */
export function mayRead(place: Uint8Array): boolean {
  let errno = accessError(place, R_OK);
  for (let path = place; errno === Errno.ENOENT && path.length > 1;) {
    path = path.subarray(0, Math.max(path.lastIndexOf(slash), 1));
    errno = accessError(path, R_OK | X_OK);
  }
  return errno === 0;
}
