/** epoll(7): several queues behind one descriptor that poll(2) can wait for. */
import { libc } from "./libc.ts";
import { check } from "./errno.ts";
import { Fd } from "./fd.ts";

export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLLIN = 0x1;

/** struct epoll_event: packed on x64 only (epoll_ctl(2)). What `data` holds is ours, and not used. */
export const epollEventLayout = { size: process.arch === "x64" ? 12 : 16, events: 0 } as const;

const event = new Uint8Array(epollEventLayout.size);
new DataView(event.buffer).setUint32(epollEventLayout.events, EPOLLIN, true);

/** epoll_create1(2). @throws {SyscallError} EMFILE, ENFILE */
export function openEpoll(): Fd {
  return new Fd(check(libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
}

/**
 * epoll_ctl(2): from now on `epoll` is readable while `fd` is. Closing `fd` ends that.
 *
 * @throws {SyscallError} ENOSPC at fs.epoll.max_user_watches; EEXIST
 */
export function epollAdd(epoll: number, fd: number): void {
  check(libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event), "epoll_ctl");
}
