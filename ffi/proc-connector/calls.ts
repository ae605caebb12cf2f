/** The process events connector's socket: the kernel tells of every fork, exec and exit on the machine. */
import { check, Errno, SyscallError } from "../errno.ts";
import { Fd } from "../fd.ts";
import { lastErrno, libc } from "../libc.ts";
import {
  AF_NETLINK,
  CN_IDX_PROC,
  CN_VAL_PROC,
  cnMsgLayout,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CONNECTOR,
  NETLINK_DROP_MEMBERSHIP,
  NLMSG_DONE,
  nlmsghdrLayout,
  procConnectorOps,
  procEvents,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./abi.ts";
import { ProcEventReader } from "./reader.ts";

const { PROC_CN_MCAST_LISTEN, PROC_CN_MCAST_IGNORE } = procConnectorOps;
const { PROC_EVENT_NONE, PROC_EVENT_FORK, PROC_EVENT_EXEC, PROC_EVENT_EXIT } = procEvents;
const wantedEvents = (PROC_EVENT_FORK | PROC_EVENT_EXEC | PROC_EVENT_EXIT) >>> 0;

/** A message takes about 1 KiB of it: some 30,000 processes that start or end between two reads. */
const receiveBytes = 16 * 1024 * 1024;

/** CONNECTOR_MAX_MSG_SIZE is 16 KiB; an event has some 80 bytes. */
const messageBytesMax = 16 * 1024;

const headerBytes = nlmsghdrLayout.size + cnMsgLayout.size;
/** Tells the answers to our messages from those to other listeners: they have one more as `ack`. */
const ownAck = process.pid;

/**
 * A socket that is not listening yet, or why there is none.
 *
 * The kernel handles a message of ours within send(2), and answers into the socket at once. It answers
 * nobody outside of the first pid namespace and the first user namespace, and no message of a form that it
 * does not know: struct proc_input, with a mask of events, came with Linux 6.6.
 */
export function openProcConnector(): ProcConnector | SyscallError {
  const type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const opened = libc.socket(AF_NETLINK, type, NETLINK_CONNECTOR);
  if (opened < 0) return new SyscallError("socket", lastErrno());
  const fd = new Fd(opened);
  const mayOverflow = libc.setsockopt(fd.number, SOL_SOCKET, SO_RCVBUFFORCE, word(receiveBytes), 4);
  const error = mayOverflow < 0 ? new SyscallError("setsockopt SO_RCVBUFFORCE", lastErrno()) : null;
  const connector = error ?? connectorWith(fd);
  if (connector instanceof SyscallError) fd.close();
  return connector;
}

/** What errno of a `SyscallError` with this call means: no answer at all. */
export const unansweredCall = "PROC_CN_MCAST_LISTEN";

function connectorWith(fd: Fd): ProcConnector | SyscallError {
  try {
    join(fd.number);
    for (const hasMask of [true, false]) {
      // With a mask of ours the kernel would leave out the answer: it is an event of no kind.
      send(fd.number, hasMask ? [PROC_CN_MCAST_LISTEN, PROC_EVENT_NONE] : [PROC_CN_MCAST_LISTEN]);
      const answer = answerIn(fd.number);
      if (answer === null) continue;
      if (answer !== 0) return new SyscallError(unansweredCall, answer);
      const connector = new ProcConnector(fd, hasMask);
      connector.rest();
      return connector;
    }
    return new SyscallError(unansweredCall, Errno.EOPNOTSUPP);
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
}

/** The socket, as its owner has it: another thread may receive from it meanwhile. */
export class ProcConnector {
  readonly #fd: Fd;
  readonly #hasMask: boolean;

  constructor(fd: Fd, hasMask: boolean) {
    this.#fd = fd;
    this.#hasMask = hasMask;
  }

  get fd(): number {
    return this.#fd.number;
  }

  /** From when this returns on, no fork goes untold. @throws {SyscallError} ENOMEM */
  listen(): void {
    join(this.fd);
    send(this.fd, this.#hasMask ? [PROC_CN_MCAST_LISTEN, wantedEvents] : [PROC_CN_MCAST_LISTEN]);
  }

  /** Nothing more is told, and processes cost nobody anything. @throws {SyscallError} ENOMEM */
  rest(): void {
    send(this.fd, this.#hasMask ? [PROC_CN_MCAST_IGNORE, wantedEvents] : [PROC_CN_MCAST_IGNORE]);
    const group = word(CN_IDX_PROC); // before Linux 6.6 another listener would have it go on
    check(
      libc.setsockopt(this.fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group, 4),
      "setsockopt NETLINK_DROP_MEMBERSHIP",
    );
  }

  close(): void {
    this.#fd.close();
  }
}

/**
 * Receive one message. ENOBUFS says once that the socket was full, and that what came then is lost
 * (netlink(7)); what was in it can still be received.
 *
 * @returns its bytes, 0 for "nothing now", null for a loss
 */
export function receiveProcEvent(fd: number, buffer: Uint8Array): number | null {
  for (;;) {
    const count = libc.read(fd, buffer, buffer.byteLength);
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return 0;
    if (errno === Errno.ENOBUFS) return null;
    if (errno !== Errno.EINTR) throw new SyscallError("read", errno);
  }
}

export function procEventBuffer(): Uint8Array {
  return new Uint8Array(messageBytesMax);
}

function join(fd: number): void {
  const group = word(CN_IDX_PROC);
  check(
    libc.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, 4),
    "setsockopt NETLINK_ADD_MEMBERSHIP",
  );
}

/** Without an address it goes to the kernel (netlink(7)). */
function send(fd: number, data: readonly number[]): void {
  const words = new Uint32Array(headerBytes / 4 + data.length);
  const dataBytes = data.length * 4;
  words[nlmsghdrLayout.nlmsg_len >> 2] = headerBytes + dataBytes;
  words[nlmsghdrLayout.nlmsg_type >> 2] = NLMSG_DONE;
  const message = nlmsghdrLayout.size >> 2;
  words[message] = CN_IDX_PROC;
  words[message + 1] = CN_VAL_PROC;
  words[message + (cnMsgLayout.ack >> 2)] = ownAck;
  words[message + (cnMsgLayout.len >> 2)] = dataBytes;
  words.set(data, headerBytes / 4);
  const bytes = new Uint8Array(words.buffer);
  check(libc.send(fd, bytes, bytes.length, 0), "send");
}

/** @returns errno, 0 if it was done, null if the kernel said nothing */
function answerIn(fd: number): number | null {
  const buffer = procEventBuffer();
  const events = new ProcEventReader(buffer);
  for (;;) {
    const length = receiveProcEvent(fd, buffer);
    if (length === null) continue;
    if (length === 0) return null;
    events.reset(length);
    while (events.next()) {
      if (events.what === PROC_EVENT_NONE && events.ack === ownAck + 1) return events.error;
    }
  }
}

function word(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
