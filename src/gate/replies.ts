/** What the kernel is told, and the end of each question with it. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { closeDescriptor } from "../../ffi/fd.ts";
import { answerPermission, responseOf } from "../../ffi/fanotify/permission.ts";
import type { Log } from "../log.ts";

export const plainAllow = responseOf(true);
const plainDeny = responseOf(false);

export class Replies {
  readonly #groupFd: number;
  readonly #log: Pick<Log, "error">;
  #hasSaidRefused = false;

  constructor(groupFd: number, log: Pick<Log, "error">) {
    this.#groupFd = groupFd;
    this.#log = log;
  }

  /** @param eventFd is closed */
  give(eventFd: number, response: number): void {
    try {
      answerPermission(this.#groupFd, eventFd, response);
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== Errno.EINVAL) throw error;
      this.#givePlainly(eventFd, response);
    }
    closeDescriptor(eventFd);
  }

  /** The kernel knows neither FAN_AUDIT nor FAN_DENY_ERRNO in this group: whoever waits must go on. */
  #givePlainly(eventFd: number, response: number): void {
    const isAllowed = (response & plainAllow) !== 0;
    answerPermission(this.#groupFd, eventFd, isAllowed ? plainAllow : plainDeny);
    if (this.#hasSaidRefused) return;
    this.#hasSaidRefused = true;
    this.#log.error(
      "Gates: this kernel does not take audit or errno with a verdict: verdicts are given without",
    );
  }
}
