/** `--daemon`: start again in a session of one's own, and leave once every watch is set. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { Fd, O, openFd, openPipe, readNow, replaceDescriptor, writeNow } from "../../ffi/fd.ts";
import { descriptorStatus, S_IFREG } from "../../ffi/files.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import type { StderrLog } from "./log.ts";

/** The hidden first word of the process that stays. */
export const daemonWord = "__daemon";

const stdinFd = 0;
const stdoutFd = 1;
const stderrFd = 2;

/** Where the process that stays has the pipe to the one that waits for it. */
const readyFd = 3;

/**
 * Start the process that stays, wait until it is ready, and leave with its exit code if it fails.
 *
 * It is the leader of a new session (setsid(2)) without a terminal. What it says until it is ready
 * still goes to our stderr, so that a mistake in the configuration is seen by the one who made it.
 */
export async function daemonize(
  self: readonly string[],
  words: readonly string[],
): Promise<ExitCode> {
  const pipe = openPipe();
  const child = Bun.spawn([...self, daemonWord, ...words], {
    detached: true,
    stdio: [stdinFd, stdoutFd, stderrFd, pipe.write.number],
  });
  pipe.write.close();
  pollOne(pipe.read.number, POLLIN, -1);
  if (readNow(pipe.read.number, new Uint8Array(1)) > 0) return exitCode.ok;
  return (await child.exited) === exitCode.usage ? exitCode.usage : exitCode.failed;
}

/**
 * The first thing in the process that stays. Only a stdout that is a file is kept: a terminal may
 * close, and a pipe would keep `$(facron -d)` and ssh waiting for ever.
 */
export function becomeDaemon(): void {
  process.chdir("/"); // no filesystem is kept from being unmounted
  if (!isFile(stdoutFd)) toDevNull(stdoutFd);
}

/** Every watch is set: the log goes elsewhere, and whoever started us may go on. */
export function daemonIsReady(log: StderrLog): void {
  toDevNull(stdinFd);
  if (!isFile(stderrFd)) {
    log.switchToSyslog();
    toDevNull(stderrFd);
  }
  using ready = new Fd(readyFd);
  try {
    writeNow(ready.number, new Uint8Array(1));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    log.warn("Whoever started this daemon did not wait for it"); // EPIPE: ^C, or a lost connection
  }
}

function isFile(fd: number): boolean {
  try {
    return descriptorStatus(fd).kind === S_IFREG;
  } catch (error) {
    if (error instanceof SyscallError) return false; // closed
    throw error;
  }
}

function toDevNull(fd: number): void {
  using devNull = openFd(cString(utf8("/dev/null")), O.RDWR);
  replaceDescriptor(devNull.number, fd);
}
