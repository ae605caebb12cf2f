/** Answers to questions of a permission group (fanotify(7), "Dealing with permission events"). */
import { libc } from "../libc.ts";
import { FAN_ALLOW, responseLayout } from "./abi.ts";

const response = new Int32Array(responseLayout.size / Int32Array.BYTES_PER_ELEMENT);
const responseBytes = new Uint8Array(response.buffer);
response[1] = FAN_ALLOW;

/**
 * Allow what a process waits for.
 *
 * @param fd the number that the question's descriptor has where it was read, by whatever process; a group
 *   goes by the number alone (process_access_response in the kernel)
 * @returns false if there is no question with that number that has been read and not answered (ENOENT)
 */
export function letThrough(group: number, fd: number): boolean {
  response[0] = fd;
  return libc.write(group, responseBytes, responseBytes.length) > 0;
}
