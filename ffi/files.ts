/** What a thread that must not wait asks of the filesystem: identity, kind and the names in a directory. */
import { lastErrno, libc } from "./libc.ts";
import { check } from "./errno.ts";
import { AT, type Fd, O, openFd } from "./fd.ts";

/** System call numbers where not every libc exports the function (getdents64, statx). */
export const systemCallNumbers = {
  x64: { getdents64: 217, statx: 332 },
  arm64: { getdents64: 61, statx: 291 },
} as const;

const numbers = systemCallNumbers[process.arch === "arm64" ? "arm64" : "x64"];

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFSOCK = 0o140000;

/** struct statx (statx(2)). */
export const statxLayout = {
  size: 256,
  stx_mask: 0,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_btime: 80,
  stx_ctime: 96,
  stx_mtime: 112,
  stx_dev_major: 136,
  stx_dev_minor: 140,
  stx_mnt_id: 144,
} as const;

export const STATX_NLINK = 0x4;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
/** Linux 5.8, asked for or not; answered so only where the next is not. */
export const STATX_MNT_ID = 0x1000;
/** Linux 6.8. */
export const STATX_MNT_ID_UNIQUE = 0x4000;

/** Enough to know a file again, and what it is. */
export interface FileStatus {
  /** st_mode & S_IFMT */
  readonly kind: number;
  /** "major:minor:inode": the same file has the same, until it is deleted. */
  readonly inode: string;
  readonly size: number;
  /** st_ctime, in microseconds since 1970: a change of the file or of what is known of it. */
  readonly changed: number;
  /** st_mtime, in the same way: the last write, or what somebody has set. */
  readonly modified: number;
  /** stx_btime, in the same way; 0 where the filesystem does not know it. */
  readonly born: number;
}

const wanted = STATX_BASIC_STATS | STATX_BTIME;
const statxBuffer = new Uint8Array(statxLayout.size);
const statxView = new DataView(statxBuffer.buffer);

/**
 * statx(2).
 *
 * @param path NUL-terminated; empty with `fd` for the descriptor itself
 * @throws {SyscallError} ENOENT, EACCES, ENOTDIR, ELOOP, ENAMETOOLONG about `path`
 */
export function fileStatus(
  path: Uint8Array,
  { fd = AT.FDCWD as number, followSymlink = true } = {},
): FileStatus {
  const flags = (path[0] === 0 ? AT.EMPTY_PATH : 0) | (followSymlink ? 0 : AT.SYMLINK_NOFOLLOW);
  const result = libc.syscall(numbers.statx, fd, path, flags, wanted, statxBuffer);
  check(result, "statx");
  const major = statxView.getUint32(statxLayout.stx_dev_major, true);
  const minor = statxView.getUint32(statxLayout.stx_dev_minor, true);
  const ino = statxView.getBigUint64(statxLayout.stx_ino, true);
  return {
    kind: statxView.getUint16(statxLayout.stx_mode, true) & S_IFMT,
    inode: `${major}:${minor}:${ino}`,
    size: Number(statxView.getBigUint64(statxLayout.stx_size, true)),
    changed: microsecondsAt(statxLayout.stx_ctime),
    modified: microsecondsAt(statxLayout.stx_mtime),
    born: microsecondsAt(statxLayout.stx_btime),
  };
}

/** struct statx_timestamp: seconds and, 8 bytes on, nanoseconds. */
function microsecondsAt(at: number): number {
  const seconds = statxView.getUint32(at, true) + statxView.getInt32(at + 4, true) * 0x1_0000_0000;
  return seconds * 1e6 + Math.floor(statxView.getUint32(at + 8, true) / 1000);
}

/**
 * Which mount a path leads to: a later mount has a higher number, and none is used again. The ids of
 * proc_pid_mountinfo(5) are: unmounted and mounted again, a filesystem most likely has the one it had.
 *
 * @param path NUL-terminated
 * @returns null before Linux 6.8, or if nothing is there
 */
export function mountNumber(path: Uint8Array): number | null {
  const flags = AT.NO_AUTOMOUNT | AT.STATX_DONT_SYNC;
  if (libc.syscall(numbers.statx, AT.FDCWD, path, flags, STATX_MNT_ID_UNIQUE, statxBuffer) < 0)
    return null;
  const answered = statxView.getUint32(statxLayout.stx_mask, true);
  if ((answered & STATX_MNT_ID_UNIQUE) === 0) return null;
  return Number(statxView.getBigUint64(statxLayout.stx_mnt_id, true));
}

/**
 * The id of the mount that a path leads to, as proc_pid_mountinfo(5) has it.
 *
 * @param path NUL-terminated
 * @returns null before Linux 5.8, or if nothing is there
 */
export function mountId(path: Uint8Array): number | null {
  const flags = AT.NO_AUTOMOUNT | AT.STATX_DONT_SYNC;
  if (libc.syscall(numbers.statx, AT.FDCWD, path, flags, STATX_MNT_ID, statxBuffer) < 0)
    return null;
  const answered = statxView.getUint32(statxLayout.stx_mask, true);
  if ((answered & STATX_MNT_ID) === 0) return null;
  return statxView.getUint32(statxLayout.stx_mnt_id, true);
}

/** The file behind a descriptor. @throws {SyscallError} EBADF */
export function descriptorStatus(fd: number): FileStatus {
  return fileStatus(new Uint8Array(1), { fd });
}

const wantedOfMany = wanted | STATX_MNT_ID_UNIQUE;

/** One struct statx, to be read where it lies: for many files at once, and without an object for each. */
export class RawStatus {
  readonly bytes = new Uint8Array(statxLayout.size);
  readonly words = new Uint32Array(this.bytes.buffer);

  /**
   * statx(2) with the time of birth (Linux 4.11, where the filesystem has one) and the mount (5.8; from 6.8
   * on as `mountNumber`).
   *
   * @param path NUL-terminated; empty with `AT.EMPTY_PATH` for the descriptor itself
   * @param flags `AT.*`; `AT.STATX_FORCE_SYNC` asks the server of a network filesystem
   * @returns 0, or errno: that a file is gone is no surprise here
   */
  read(path: Uint8Array, flags: number, fd: number = AT.FDCWD): number {
    return this.readSome(path, flags, fd, wantedOfMany);
  }

  /** The same of only what is wanted: `STATX_*`. */
  readSome(path: Uint8Array, flags: number, fd: number, wanted: number): number {
    const result = libc.syscall(numbers.statx, fd, path, flags, wanted, this.bytes);
    return result < 0 ? lastErrno() : 0;
  }
}

/** Whose file it is; -1 if that can't be told. @param path NUL-terminated */
export function ownerOf(path: Uint8Array): number {
  const result = libc.syscall(numbers.statx, AT.FDCWD, path, 0, STATX_BASIC_STATS, statxBuffer);
  return result < 0 ? -1 : statxView.getUint32(statxLayout.stx_uid, true);
}

const linkBuffer = new Uint8Array(4096);

/** readlink(2). @param path NUL-terminated. @throws {SyscallError} EINVAL if it is no symbolic link */
export function readLink(path: Uint8Array): Uint8Array {
  const length = check(libc.readlink(path, linkBuffer, linkBuffer.length), "readlink");
  return linkBuffer.slice(0, length);
}

/** struct linux_dirent64 (getdents64(2)). */
export const direntLayout = { d_reclen: 16, d_type: 18, d_name: 19 } as const;
export const DT_UNKNOWN = 0;
export const DT_DIR = 4;
export const DT_REG = 8;
export const DT_LNK = 10;

export const SEEK_SET = 0;
const dot = 0x2e;
const direntBuffer = new Uint8Array(64 * 1024);
const direntView = new DataView(direntBuffer.buffer);

/** An entry of a directory. */
export interface Entry {
  /** Its own copy. */
  readonly name: Uint8Array;
  /** The kernel's DT_*: DT_UNKNOWN on some filesystems. */
  readonly type: number;
}

/**
 * Every entry of a directory but "." and "..".
 *
 * @param path NUL-terminated
 * @throws {SyscallError} ENOENT, EACCES, ENOTDIR about `path`
 */
export function listDirectory(
  path: Uint8Array,
  visit: (name: Uint8Array, type: number) => void,
): void {
  using directory = openDirectory(path);
  const entries: Entry[] = [];
  addEntries(entries, directory.number);
  for (const { name, type } of entries) visit(name, type);
}

/** A directory to be listed. @throws {SyscallError} ENOENT, EACCES, ENOTDIR about `path` */
export function openDirectory(path: Uint8Array): Fd {
  return openFd(path, O.RDONLY | O.DIRECTORY | O.NONBLOCK);
}

/** The next entries of a directory, some 2,000 at most; none at its end. @throws {SyscallError} */
export function listSome({ number: fd }: Fd): readonly Entry[] {
  for (const entries: Entry[] = []; ;) {
    const length = libc.syscall(numbers.getdents64, fd, direntBuffer, direntBuffer.length, 0, null);
    if (check(length, "getdents64") > 0) addEntriesIn(length, entries);
    if (length === 0 || entries.length > 0) return entries;
  }
}

/**
 * getdents64(2): the same of one that is open.
 *
 * From its start (rewinddir(3)): btrfs lists what was there when the directory was opened or rewound, and
 * nothing that came later (Linux 6.5).
 *
 * @param entries gets them, those before an error too
 * @param only leave out what is certainly no directory
 * @throws {SyscallError} ENOENT if it is deleted
 */
export function addEntries(entries: Entry[], fd: number, only?: "directories"): void {
  check(libc.lseek(fd, 0, SEEK_SET), "lseek");
  for (;;) {
    const length = libc.syscall(numbers.getdents64, fd, direntBuffer, direntBuffer.length, 0, null);
    if (check(length, "getdents64") === 0) return;
    addEntriesIn(length, entries, only);
  }
}

function addEntriesIn(length: number, entries: Entry[], only?: "directories"): void {
  for (let at = 0; at < length; at += direntView.getUint16(at + direntLayout.d_reclen, true)) {
    const type = direntBuffer[at + direntLayout.d_type]!;
    if (only === "directories" && type !== DT_DIR && type !== DT_UNKNOWN) continue;
    const nameStart = at + direntLayout.d_name;
    if (isDotOrDotDot(nameStart)) continue;
    const name = direntBuffer.slice(nameStart, direntBuffer.indexOf(0, nameStart));
    entries.push({ name, type });
  }
}

function isDotOrDotDot(nameStart: number): boolean {
  if (direntBuffer[nameStart] !== dot) return false;
  const second = direntBuffer[nameStart + 1];
  return second === 0 || (second === dot && direntBuffer[nameStart + 2] === 0);
}

/** lseek(2) to the start: a file of procfs is made anew then. */
export function rewind(fd: number): void {
  libc.lseek(fd, 0, SEEK_SET);
}
