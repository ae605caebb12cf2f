/** What the kernel is told, and the end of each question with it. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { closeDescriptor } from "../../ffi/fd.ts";
import { answerPermission, responseOf } from "../../ffi/fanotify/permission.ts";

export const plainAllow = responseOf(true);
const plainDeny = responseOf(false);

export class Replies {
  readonly #groupFd: number;

  constructor(groupFd: number) {
    this.#groupFd = groupFd;
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

  /**
   * The group was opened for gates that had no `audit` or `errno`: whoever waits must go on. That the new
   * ones wait for a restart was said when they came.
   */
  #givePlainly(eventFd: number, response: number): void {
    const isAllowed = (response & plainAllow) !== 0;
    answerPermission(this.#groupFd, eventFd, isAllowed ? plainAllow : plainDeny);
  }
}
