/**
 * The hidden helper: becomes a command whose words are not UTF-8, which Bun.spawn cannot pass on.
 *
 * facron starts itself with the words in hexadecimal. That process undoes what Bun's start-up did to
 * it and calls execve(2): the command has its pid, its session and its exit status. What it has to
 * say goes through a pipe that closes when the command takes over.
 */
import { readFileSync } from "node:fs";
import { cString } from "../../ffi/bytes.ts";
import { readNow, writeNow } from "../../ffi/fd.ts";
import { closeOnExecFrom } from "../../ffi/files.ts";
import { addressOf, lastErrno, libc } from "../../ffi/libc.ts";
import { clearSignalMask, setSoftLimit } from "./limits.ts";

/** Where the helper finds the writing end of its pipe: the first descriptor after stderr. */
export const reportFd = 3;

/**
 * What follows the helper's own words on its command line.
 *
 * @param path of the program: it may differ from `argv[0]`
 * @param softFileLimit the command's RLIMIT_NOFILE (the helper's was raised by Bun)
 */
export function helperArguments(
  path: Uint8Array,
  argv: readonly Uint8Array[],
  softFileLimit: number,
): string[] {
  return [String(softFileLimit), ...[path, ...argv].map(toHex)];
}

/**
 * Become the command.
 *
 * @param args what `helperArguments` gave; returns to nobody: exit 127 if execve(2) refuses
 */
export function runExecHelper(args: readonly string[]): never {
  const [softFileLimit, path, ...argv] = args;
  if (softFileLimit === undefined || path === undefined) process.exit(127);
  report(0);
  setSoftLimit(Number(softFileLimit));
  resetSignals();
  closeDescriptorsOnExec();
  report(execute(fromHex(path), argv.map(fromHex), environment()));
  process.exit(127);
}

/** What the helper said before it was gone. */
export type HelperReport =
  /** Nothing: it never got as far as execve(2). */
  | { readonly kind: "silent" }
  /** The command has taken over. */
  | { readonly kind: "executed" }
  | { readonly kind: "refused"; readonly errno: number };

/** @param fd reading end of the pipe, nonblocking; the helper has ended or become the command */
export function readHelperReport(fd: number): HelperReport {
  const words = new Int32Array(2); // "about to execute" (0), then errno if that failed
  const length = readNow(fd, new Uint8Array(words.buffer));
  if (length < 4) return { kind: "silent" };
  return length < 8 ? { kind: "executed" } : { kind: "refused", errno: words[1]! };
}

function report(word: number): void {
  writeNow(reportFd, new Uint8Array(new Int32Array([word]).buffer));
}

const SIGPIPE = 13;
const SIGXFSZ = 25;
const SIG_DFL = 0;

/** execve(2) keeps what is ignored, and Bun ignores these two in every process of its own. */
function resetSignals(): void {
  libc.signal(SIGPIPE, SIG_DFL);
  libc.signal(SIGXFSZ, SIG_DFL);
  clearSignalMask();
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Bun opens its own with O_CLOEXEC; the pipe came without it, and has to close on every kernel. */
function closeDescriptorsOnExec(): void {
  closeOnExecFrom(reportFd);
  libc.fcntl(reportFd, F_SETFD, FD_CLOEXEC);
}

/** The environment byte for byte; process.env would hold text. */
function environment(): Uint8Array[] {
  return splitAfterNul(readFileSync("/proc/self/environ"));
}

/** Pieces with their NUL. */
function splitAfterNul(bytes: Uint8Array): Uint8Array[] {
  const pieces = [];
  for (let start = 0, end = 0; (end = bytes.indexOf(0, start) + 1) > 0; start = end) {
    pieces.push(bytes.subarray(start, end));
  }
  return pieces;
}

/** What execve(2) is given addresses of must not be collected before it has read it. */
const keptAlive: Uint8Array[][] = [];

/** execve(2). @returns errno, if it returns at all */
function execute(path: Uint8Array, argv: Uint8Array[], envp: Uint8Array[]): number {
  libc.execve(cString(path), pointersTo(argv.map(cString)), pointersTo(envp));
  return lastErrno();
}

/** `char *const []` with its null at the end. @param strings with their NUL */
function pointersTo(strings: Uint8Array[]): BigUint64Array {
  keptAlive.push(strings);
  return new BigUint64Array([...strings.map((string) => BigInt(addressOf(string))), 0n]);
}

function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.fromHex(text);
}
