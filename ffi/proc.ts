/** Who a process is, as /proc/PID has it (proc(5)): read without strings, as it may be done per event. */
import { lastErrno, libc } from "./libc.ts";
import { cString, latin1, utf8 } from "./bytes.ts";
import { AT, O } from "./fd.ts";
import {
  fileStatus,
  mountId,
  ownerOf,
  RawStatus,
  readLink,
  STATX_NLINK,
  statxLayout,
} from "./files.ts";
import { Errno, SyscallError } from "./errno.ts";

/** What `readProcess` found; the next call writes over it. */
export interface ProcessFacts {
  /** The name of its first thread: 15 bytes at most, any but NUL. */
  readonly comm: Uint8Array;
  commLength: number;
  /** The path of its program, without the kernel's " (deleted)". */
  readonly exe: Uint8Array;
  /** 0: not known, or it has none. */
  exeLength: number;
  /** The effective one; -1: not known. */
  uid: number;
  /** 0, also of a kernel thread, which has no program; ENOENT of what has ended; EACCES if it is not for us. */
  exeErrno: number;
  /** EMFILE, most of all; 0 if it could be read. */
  commErrno: number;
}

/** TASK_COMM_LEN is 16 with the NUL; what the kernel gives ends with a newline. Kernel workers have up to 64. */
const commBytesMax = 64;
/** PATH_MAX: d_path gives no longer one. */
const exeBytesMax = 4096;

const facts: ProcessFacts = {
  comm: new Uint8Array(commBytesMax),
  commLength: 0,
  exe: new Uint8Array(exeBytesMax),
  exeLength: 0,
  uid: -1,
  exeErrno: 0,
  commErrno: 0,
};

const directory = utf8("/proc/");
const path = new Uint8Array(32);
path.set(directory);
const commSuffix = utf8("/comm\0");
const exeSuffix = utf8("/exe\0");
const cwdSuffix = utf8("/cwd\0");
const noSuffix = utf8("\0");
const deleted = utf8(" (deleted)");
const newline = 0x0a;

/**
 * What /proc says of a process now.
 *
 * @param looksUpNames whether the program may be looked up by its name, which can take as long as its
 *   filesystem likes: else one whose name is taken away while it has another (a hard link) may be told as
 *   "... (deleted)"
 * @returns one object for all calls, to be copied from
 */
export function readProcess(pid: number, looksUpNames = true): ProcessFacts {
  const end = writeNumber(pid, directory.length);
  readExe(pathWith(exeSuffix, end), looksUpNames ? isNamedSo : hasLinks); // first: it is what a process loses first when it ends
  if (facts.exeErrno === Errno.ENOENT && hasDirectory(pathWith(cwdSuffix, end))) facts.exeErrno = 0;
  readComm(pathWith(commSuffix, end));
  facts.uid = ownerOf(pathWith(noSuffix, end)); // /proc/PID itself belongs to the effective uid
  return facts;
}

/**
 * The mount by which the program of a process was opened, as `mountId` has it: its name may be one in another
 * mount namespace. No server is asked.
 *
 * @returns null before Linux 5.8, or if it has no program
 */
export function programMount(pid: number): number | null {
  return mountId(pathWith(exeSuffix, writeNumber(pid, directory.length)));
}

/** Whether /proc is there, and has the numbers of our own pid namespace (pid_namespaces(7), "/proc"). */
export function procHasOurNumbers(): boolean {
  try {
    return latin1(readLink(cString(utf8("/proc/self")))) === String(process.pid);
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

const linkBuffer = new Uint8Array(1);

/** A kernel thread has one as long as it lives, and what has ended has none. */
function hasDirectory(cwd: Uint8Array): boolean {
  return libc.readlink(cwd, linkBuffer, linkBuffer.length) >= 0;
}

function readComm(name: Uint8Array): void {
  facts.commLength = 0;
  const fd = libc.open(name, O.RDONLY | O.CLOEXEC, 0);
  const length = fd < 0 ? -1 : libc.read(fd, facts.comm, commBytesMax);
  facts.commErrno = length < 0 ? lastErrno() : 0;
  if (fd >= 0) libc.close(fd);
  if (length > 0) facts.commLength = facts.comm[length - 1] === newline ? length - 1 : length;
}

function readExe(name: Uint8Array, isItsName: (link: Uint8Array) => boolean): void {
  const length = libc.readlink(name, facts.exe, exeBytesMax);
  facts.exeErrno = length < 0 ? lastErrno() : 0;
  facts.exeLength = Math.max(length, 0);
  if (endsWithDeleted() && !isItsName(name)) facts.exeLength -= deleted.length;
}

/** d_path puts it behind the path of a file that is not there any more. */
function endsWithDeleted(): boolean {
  const start = facts.exeLength - deleted.length;
  if (start < 0) return false;
  for (let i = 0; i < deleted.length; i++) if (facts.exe[start + i] !== deleted[i]) return false;
  return true;
}

/** Whether it is really the file's name: then the program is at that path. */
function isNamedSo(link: Uint8Array): boolean {
  const named = new Uint8Array(facts.exeLength + 1);
  named.set(facts.exe.subarray(0, facts.exeLength));
  try {
    return fileStatus(named).inode === fileStatus(link).inode;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

const status = new RawStatus();

/** As the kernel has it: a link under /proc leads to the file itself, and no server is asked. */
function hasLinks(link: Uint8Array): boolean {
  const errno = status.readSome(link, AT.STATX_DONT_SYNC, AT.FDCWD, STATX_NLINK);
  return errno === 0 && status.words[statxLayout.stx_nlink >> 2] !== 0;
}

/** @returns where the digits end in `path` */
function writeNumber(value: number, at: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let rest = value;
  for (let to = at + digits - 1; to >= at; to--) {
    path[to] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}

function pathWith(suffix: Uint8Array, end: number): Uint8Array {
  path.set(suffix, end);
  return path;
}
