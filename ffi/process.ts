/** posix_spawn(3) and waitpid(2): processes byte for byte, on any thread, without a copy of ours. */
import { addressOf, laterLibc, libc } from "./libc.ts";
import { cString, utf8 } from "./bytes.ts";
import { lastErrno } from "./libc.ts";
import { Errno, SyscallError } from "./errno.ts";

// posix_spawnattr_setflags(3)
export const POSIX_SPAWN_SETPGROUP = 0x02;
export const POSIX_SPAWN_SETSIGDEF = 0x04;
export const POSIX_SPAWN_SETSIGMASK = 0x08;

/** glibc 2.26, musl 1.1.22. */
export const POSIX_SPAWN_SETSID = 0x80;

export const WNOHANG = 0x0000_0001;
export const WEXITED = 0x0000_0004;
/** The status stays where it is. */
export const WNOWAIT = 0x0100_0000;
/** idtype_t of waitid(2) */
export const idTypes = { P_ALL: 0 } as const;

/** siginfo_t of a SIGCHLD, on 64-bit machines. */
export const siginfoLayout = { size: 128, si_pid: 16 } as const;

/** Both libcs fit: glibc 336 and 80 bytes, musl 336 and 80. */
export const spawnLayout = { attributes: 336, fileActions: 80, signalSet: 128 } as const;

/** Strings for argv or envp: one block of bytes, and the pointers into it with their null at the end. */
export class StringVector {
  #bytes = new Uint8Array(4096);
  #pointers = new BigUint64Array(64);
  /** Strings that stay: bytes taken by them, and how many they are. */
  #keptBytes = 0;
  #kept = 0;

  /** The array for the call; valid until the next `set`. */
  get pointers(): BigUint64Array {
    return this.#pointers;
  }

  /** Strings that stand before those of each `set` from now on. */
  keep(strings: readonly Uint8Array[]): this {
    this.#keptBytes = 0;
    this.#kept = 0;
    this.#keptBytes = this.#write(strings);
    this.#kept = strings.length;
    return this;
  }

  /** @param strings without NUL */
  set(strings: readonly Uint8Array[]): this {
    this.#write(strings);
    return this;
  }

  /** @returns where the strings end */
  #write(strings: readonly Uint8Array[]): number {
    let end = this.#keptBytes;
    for (let i = 0; i < strings.length; i++) end += strings[i]!.length + 1;
    this.#makeRoom(end, this.#kept + strings.length + 1);
    const start = addressOf(this.#bytes);
    let at = this.#keptBytes;
    for (let i = 0; i < strings.length; i++) {
      this.#pointers[this.#kept + i] = BigInt(start + at);
      this.#bytes.set(strings[i]!, at);
      at += strings[i]!.length;
      this.#bytes[at++] = 0;
    }
    this.#pointers[this.#kept + strings.length] = 0n;
    return end;
  }

  #makeRoom(bytes: number, pointers: number): void {
    if (pointers > this.#pointers.length) {
      const grown = new BigUint64Array(pointers * 2);
      grown.set(this.#pointers);
      this.#pointers = grown;
    }
    if (bytes <= this.#bytes.length) return;
    const before = addressOf(this.#bytes);
    const grown = new Uint8Array(bytes * 2);
    grown.set(this.#bytes.subarray(0, this.#keptBytes));
    this.#bytes = grown;
    const moved = BigInt(addressOf(grown) - before);
    for (let i = 0; i < this.#kept; i++) this.#pointers[i]! += moved;
  }
}

/** What a process begins with. */
export interface SpawnPlace {
  /** Its stdin; null: /dev/null. */
  readonly stdinFd: number | null;
  /** Its stdout and stderr. */
  readonly outputFd: number;
  /** Its working directory; null: ours. Not null only where `canSpawnElsewhere`. */
  readonly cwd: Uint8Array | null;
  /** A session of its own (setsid(2)), and not only a group. */
  readonly isSession: boolean;
}

/** Whether posix_spawn(3) can change the working directory: glibc 2.29, musl 1.1.24. */
export const canSpawnElsewhere = laterLibc !== null;

const closedInChildren = new Set<number>();

/**
 * What each process that is started from now on closes before execve(2), and not only at its end.
 *
 * For a descriptor of which not even a copy may be left in a process that waits in execve(2): its program
 * may be on a filesystem that does not answer, or be waited for by whoever reads that descriptor.
 *
 * @param fd one of the first RLIMIT_NOFILE: glibc refuses others
 */
export function closeInChildren(fd: number): void {
  closedInChildren.add(fd);
  forgetUsualActions();
}

/** To be called before the number is closed, and may be another descriptor's. */
export function leaveToChildren(fd: number): void {
  closedInChildren.delete(fd);
  forgetUsualActions();
}

/**
 * posix_spawn(3): start a program in a process group of its own, every signal at its default and none
 * blocked.
 *
 * Other descriptors are inherited unless they are close-on-exec.
 *
 * @returns its pid, which is also its group
 * @throws {SyscallError} what execve(2), fork(2) or the preparation of descriptors and directory gave
 */
export function posixSpawn(
  path: Uint8Array,
  argv: StringVector,
  envp: StringVector,
  place: SpawnPlace,
): number {
  const { pointers: words } = argv;
  const program = cString(path);
  const attributes = place.isSession ? sessionAttributes() : groupAttributes();
  const actions = actionsFor(place);
  const errno = libc.posix_spawn(spawnedPid, program, actions, attributes, words, envp.pointers);
  if (actions !== usualActions) libc.posix_spawn_file_actions_destroy(actions);
  if (errno !== 0) throw new SyscallError("posix_spawn", errno);
  return spawnedPid[0]!;
}

/**
 * execve(2): become another program, with the same pid. Returns only if that fails.
 *
 * @throws {SyscallError} ENOENT, EACCES, E2BIG, ...
 */
export function becomeProgram(path: Uint8Array, argv: StringVector, envp: StringVector): never {
  libc.execve(cString(path), argv.pointers, envp.pointers);
  throw new SyscallError("execve", lastErrno());
}

/** How a process ended. */
export type WaitStatus =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: number }
  /** Somebody else took the status (ECHILD). */
  | { readonly kind: "unknown" };

/** waitpid(2) without waiting. @returns null while it runs */
export function waitNow(pid: number): WaitStatus | null {
  const result = libc.waitpid(pid, waitStatus, WNOHANG);
  if (result === 0) return null;
  if (result < 0) return lastErrno() === Errno.EINTR ? null : { kind: "unknown" };
  const status = waitStatus[0]!;
  const signal = status & 0x7f; // WTERMSIG
  return signal === 0 ? { kind: "exited", code: (status >> 8) & 0xff } : { kind: "killed", signal };
}

/** waitid(2): a child that has ended and whose status nobody has taken yet; it stays there. @returns 0 if there is none */
export function endedChild(): number {
  endedInfo[siginfoLayout.si_pid >> 2] = 0; // Linux leaves it alone or clears it if there is none
  const result = libc.waitid(idTypes.P_ALL, 0, endedInfo, WEXITED | WNOHANG | WNOWAIT);
  return result < 0 ? 0 : endedInfo[siginfoLayout.si_pid >> 2]!; // ECHILD: there are no children
}

/** Take the status of any child that has ended: for pid 1, which inherits orphans. @returns false if there is none */
export function reapAny(): boolean {
  return libc.waitpid(-1, waitStatus, WNOHANG) > 0;
}

const spawnedPid = new Int32Array(1);
const waitStatus = new Int32Array(1);
const endedInfo = new Int32Array(siginfoLayout.size >> 2);
const devNull = cString(utf8("/dev/null"));

let knownGroup: Uint8Array | null = null;
let knownSession: Uint8Array | null = null;

function groupAttributes(): Uint8Array {
  return (knownGroup ??= attributesWith(POSIX_SPAWN_SETPGROUP));
}

/** setsid(2) makes the group too. */
function sessionAttributes(): Uint8Array {
  return (knownSession ??= attributesWith(POSIX_SPAWN_SETSID));
}

function attributesWith(kind: number): Uint8Array {
  const bytes = new Uint8Array(spawnLayout.attributes);
  libc.posix_spawnattr_init(bytes);
  libc.posix_spawnattr_setpgroup(bytes, 0); // 0: its own
  libc.posix_spawnattr_setsigdefault(bytes, new Uint8Array(spawnLayout.signalSet).fill(0xff));
  libc.posix_spawnattr_setsigmask(bytes, new Uint8Array(spawnLayout.signalSet));
  const flags = kind | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  libc.posix_spawnattr_setflags(bytes, flags);
  return bytes;
}

const stderrFd = 2;

/** Those of most commands, made once: /dev/null, facron's stderr, its directory. */
let usualActions: Uint8Array | null = null;

function forgetUsualActions(): void {
  if (usualActions !== null) libc.posix_spawn_file_actions_destroy(usualActions);
  usualActions = null;
}

function actionsFor(place: SpawnPlace): Uint8Array {
  const isUsual = place.stdinFd === null && place.cwd === null && place.outputFd === stderrFd;
  return isUsual ? (usualActions ??= makeActions(place)) : makeActions(place);
}

function makeActions({ stdinFd, outputFd, cwd }: SpawnPlace): Uint8Array {
  const bytes = new Uint8Array(spawnLayout.fileActions);
  libc.posix_spawn_file_actions_init(bytes);
  // First of all, as what follows may wait.
  for (const fd of closedInChildren) libc.posix_spawn_file_actions_addclose(bytes, fd);
  if (stdinFd === null) libc.posix_spawn_file_actions_addopen(bytes, 0, devNull, 0, 0);
  else libc.posix_spawn_file_actions_adddup2(bytes, stdinFd, 0);
  // The same number twice takes close-on-exec off it (posix_spawn_file_actions_adddup2(3)).
  libc.posix_spawn_file_actions_adddup2(bytes, outputFd, 1);
  libc.posix_spawn_file_actions_adddup2(bytes, outputFd, 2);
  if (cwd !== null) laterLibc!.posix_spawn_file_actions_addchdir_np(bytes, cString(cwd));
  return bytes;
}
