/** SCM_RIGHTS (unix(7)): descriptors handed to another process by way of a socket. */
import { check, Errno, SyscallError } from "./errno.ts";
import { Fd, MSG_NOSIGNAL, O } from "./fd.ts";
import { addressOf, lastErrno, libc } from "./libc.ts";

export const AF_UNIX = 1;
export const SOCK_SEQPACKET = 5;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** struct msghdr; musl's lengths are shorter and have zeros behind them. */
export const msghdrLayout = {
  size: 56,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
} as const;

export const iovecLayout = { size: 16, iov_base: 0, iov_len: 8 } as const;

/** struct cmsghdr; what it brings comes behind it. */
export const cmsghdrLayout = { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } as const;

/** socketpair(2): two ends that know packets, close-on-exec. @throws {SyscallError} EMFILE, ENFILE */
export function openSocketPair(): readonly [Fd, Fd] {
  const fds = new Int32Array(2);
  const type = SOCK_SEQPACKET | O.CLOEXEC; // SOCK_CLOEXEC is O_CLOEXEC
  check(libc.socketpair(AF_UNIX, type, 0, fds), "socketpair");
  return [new Fd(fds[0]!), new Fd(fds[1]!)];
}

/**
 * sendmsg(2): one packet of one byte with descriptors. Until the other end has received it the socket holds
 * them, whoever has closed them.
 *
 * @throws {SyscallError} EPIPE if the other end is gone; EAGAIN if it is full
 */
export function sendDescriptors(socket: number, fds: readonly number[]): void {
  const message = messageFor(fds.length);
  message.control.setBigUint64(cmsghdrLayout.cmsg_len, BigInt(lengthWith(fds.length)), true);
  message.control.setInt32(cmsghdrLayout.cmsg_level, SOL_SOCKET, true);
  message.control.setInt32(cmsghdrLayout.cmsg_type, SCM_RIGHTS, true);
  fds.forEach((fd, at) => message.control.setInt32(cmsghdrLayout.size + at * 4, fd, true));
  check(libc.sendmsg(socket, message.header, MSG_NOSIGNAL), "sendmsg");
}

/**
 * recvmsg(2): wait for such a packet.
 *
 * @param count how many descriptors are expected
 * @returns them, close-on-exec; null if the other end is gone, or has sent something else
 * @throws {SyscallError} whatever recvmsg gives
 */
export function receiveDescriptors(socket: number, count: number): readonly Fd[] | null {
  const message = messageFor(count);
  while (libc.recvmsg(socket, message.header, MSG_CMSG_CLOEXEC) < 0) {
    if (lastErrno() !== Errno.EINTR) throw new SyscallError("recvmsg", lastErrno());
  }
  const length = Number(message.control.getBigUint64(cmsghdrLayout.cmsg_len, true));
  if (length !== lengthWith(count)) return null;
  return Array.from({ length: count }, (_, at) => {
    return new Fd(message.control.getInt32(cmsghdrLayout.size + at * 4, true));
  });
}

/** CMSG_LEN(3) */
function lengthWith(fds: number): number {
  return cmsghdrLayout.size + fds * 4;
}

interface Message {
  readonly header: Uint8Array;
  readonly control: DataView;
  /** Kept for as long as `header`, which has their addresses. */
  readonly parts: readonly Uint8Array[];
}

function messageFor(fds: number): Message {
  const header = structOf(msghdrLayout.size);
  const iovec = structOf(iovecLayout.size);
  const byte = structOf(1);
  const control = structOf(Math.ceil(lengthWith(fds) / 8) * 8); // CMSG_SPACE(3)
  put(iovec, iovecLayout.iov_base, addressOf(byte));
  put(iovec, iovecLayout.iov_len, byte.length);
  put(header, msghdrLayout.msg_iov, addressOf(iovec));
  put(header, msghdrLayout.msg_iovlen, 1);
  put(header, msghdrLayout.msg_control, addressOf(control));
  put(header, msghdrLayout.msg_controllen, control.length);
  return { header, control: new DataView(control.buffer), parts: [iovec, byte, control] };
}

/** With a buffer from the start: a small array moves when it is asked for one, and its address is another then. */
function structOf(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size));
}

function put(struct: Uint8Array, at: number, value: number): void {
  new DataView(struct.buffer).setBigUint64(at, BigInt(value), true);
}
