/** Run by fd.test.ts with a socket as stdout: says on stderr how sendNow gets on with it. */
import { openFd, O, sendNow, statusFlags } from "../../ffi/fd.ts";
import { descriptorStatus, S_IFSOCK } from "../../ffi/files.ts";
import { cPath } from "../helpers/c-path.ts";

const isBlockingSocket =
  descriptorStatus(1).kind === S_IFSOCK && (statusFlags(1) & O.NONBLOCK) === 0;
console.error(isBlockingSocket ? "a blocking socket" : "no blocking socket");

const bytes = new Uint8Array(1 << 20);
let taken = 0;
for (let sent = 0; sent !== -1; sent = sendNow(1, bytes)) taken += sent;
console.error(taken > 0 ? "full" : "nothing taken");

using file = openFd(cPath("/dev/null"), O.WRONLY);
try {
  sendNow(file.number, bytes);
} catch (error) {
  console.error(String(error));
}
