/** Bytes to a descriptor that may be slow, full or gone: never waits, keeps a bounded backlog. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { Fd, growPipe, O, openFd, sendNow, statusFlags, writeNow } from "../../ffi/fd.ts";
import { descriptorStatus, S_IFREG, S_IFSOCK } from "../../ffi/files.ts";
import { POLLERR, POLLHUP, POLLNVAL, POLLOUT, pollOne } from "../../ffi/poll.ts";

/** What a pipe takes at once, where the system allows it: fewer wake-ups of both sides. */
const pipeBytes = 1024 * 1024;

/** Put behind a line that was cut, so that the next one starts on its own. */
const newline = utf8("\n");

/** poll(2): a pipe that says POLLOUT takes at least this much without blocking (PIPE_BUF). */
const pipeAtomicBytes = 4096;

type Kind = "file" | "nonblocking" | "socket" | "polled" | "closed";

/** What became of a write. */
export type WriteResult = "written" | "waiting" | "gone";

export class Writer {
  readonly #kind: Kind;
  readonly #fd: number;
  /** Our own open description of a pipe or terminal, nonblocking; closed with the writer. */
  readonly #own: Fd | null;
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  /** How much of the first piece is written already. */
  #offset = 0;
  #isGone = false;
  /** The last byte written ended no line; and what came behind it was lost. */
  #isInLine = false;
  #isCut = false;
  #lost = 0;
  #failure: SyscallError | null = null;

  /** @param fd stdout or stderr; what others who share it see stays as it is */
  constructor(fd: number) {
    const opened = openOutput(fd);
    this.#kind = opened.kind;
    this.#own = opened.own;
    this.#fd = opened.own?.number ?? fd;
    if (opened.kind === "nonblocking") growPipe(this.#fd, pipeBytes);
  }

  /** Nobody reads it any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** The last error that lost bytes (ENOSPC, EIO), taken once. */
  takeFailure(): { error: SyscallError; lines: number } | null {
    const error = this.#failure;
    if (error === null) return null;
    const lines = this.#lost;
    this.#failure = null;
    this.#lost = 0;
    return { error, lines };
  }

  /** For poll(2): -1 if there is nothing to hear from it. Without a backlog only its end is of interest. */
  get pollFd(): number {
    return this.#kind === "file" || this.#kind === "closed" ? -1 : this.#fd;
  }

  get pollEvents(): number {
    return this.#backlogBytes > 0 ? POLLOUT : 0;
  }

  /** Act on what poll(2) said. */
  handlePoll(happened: number): void {
    if ((happened & (POLLERR | POLLHUP | POLLNVAL)) !== 0) this.#isGone = true;
    else if ((happened & POLLOUT) !== 0) this.flush();
  }

  /** Write, or keep. `bytes` may be reused afterwards. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#isGone || this.#kind === "closed") return;
    let at = 0;
    if (this.#backlogBytes === 0) {
      while (at < bytes.length) {
        const count = this.#attempt(at === 0 ? bytes : bytes.subarray(at));
        if (count <= 0) break;
        at += count;
      }
    }
    if (at < bytes.length && !this.#isGone) this.#keep(bytes.slice(at));
  }

  /** Write what was kept, as far as it goes. */
  flush(): void {
    while (this.#backlog.length > 0 && !this.#isGone) {
      const first = this.#backlog[0]!;
      const count = this.#attempt(this.#offset === 0 ? first : first.subarray(this.#offset));
      if (count <= 0) return;
      this.#offset += count;
      this.#backlogBytes -= count;
      if (this.#offset < first.length) continue;
      this.#backlog.shift();
      this.#offset = 0;
    }
  }

  /** Write what was kept, waiting for the other side until the deadline. @returns lines left over */
  flushWithin(milliseconds: number): number {
    const deadline = performance.now() + milliseconds;
    while (this.#backlogBytes > 0 && !this.#isGone) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      if (this.pollFd >= 0) this.handlePoll(pollOne(this.#fd, POLLOUT, Math.ceil(left)));
      else this.flush();
    }
    return this.#isGone ? 0 : this.#linesWaiting();
  }

  /** A line that is written in part waits too. */
  #linesWaiting(): number {
    const [first, ...others] = this.#backlog;
    if (first === undefined) return 0;
    const rest = first.subarray(this.#offset);
    return [rest, ...others].reduce((lines, piece) => lines + linesIn(piece), 0);
  }

  close(): void {
    this.#own?.close();
  }

  #keep(bytes: Uint8Array): void {
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.length;
  }

  /** One write. @returns bytes taken; 0 if it is full or gone now */
  #attempt(bytes: Uint8Array): number {
    try {
      if (this.#isCut) this.#isCut = this.#writeSome(newline) <= 0;
      const count = this.#isCut ? 0 : Math.max(this.#writeSome(bytes), 0);
      if (count > 0) this.#isInLine = bytes[count - 1] !== newline[0];
      return count;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno === Errno.EPIPE || error.errno === Errno.ECONNRESET) this.#isGone = true;
      else return this.#lose(bytes, error);
      return 0;
    }
  }

  #writeSome(bytes: Uint8Array): number {
    if (this.#kind === "socket") return sendNow(this.#fd, bytes);
    if (this.#kind !== "polled") return writeNow(this.#fd, bytes);
    const happened = pollOne(this.#fd, POLLOUT, 0);
    if ((happened & (POLLERR | POLLHUP)) !== 0) throw new SyscallError("write", Errno.EPIPE);
    return (happened & POLLOUT) === 0 ? -1 : writeNow(this.#fd, bytes.subarray(0, pipeAtomicBytes));
  }

  /** A full disk, say: the lines are lost, which is said once, and the next ones are tried again. */
  #lose(bytes: Uint8Array, error: SyscallError): number {
    this.#failure = error;
    this.#isCut = this.#isInLine;
    this.#lost += linesIn(bytes);
    return bytes.length;
  }
}

function openOutput(fd: number): { kind: Kind; own: Fd | null } {
  let kind: number;
  try {
    ({ kind } = descriptorStatus(fd));
  } catch (error) {
    if (error instanceof SyscallError && error.errno === Errno.EBADF)
      return { kind: "closed", own: null };
    throw error;
  }
  if (kind === S_IFREG) return { kind: "file", own: null };
  if (kind === S_IFSOCK) return { kind: "socket", own: null };
  // O_NONBLOCK belongs to the open file description, which `2>&1` and the shell share: open another.
  try {
    const append = statusFlags(fd) & O.APPEND;
    const own = openFd(utf8(`/proc/self/fd/${fd}\0`), O.WRONLY | O.NONBLOCK | append);
    return { kind: "nonblocking", own };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    // Somebody else's pipe or terminal (EACCES), ENXIO: a pipe is still safe in small pieces after poll.
    return { kind: "polled", own: null };
  }
}

function linesIn(bytes: Uint8Array): number {
  return latin1(bytes).split("\n").length - 1;
}
