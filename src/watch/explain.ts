/** Why something cannot be watched, in one sentence with the cure. */
import { Errno, errnoText, type SyscallError } from "../../ffi/errno.ts";
import { lossyText } from "../../ffi/bytes.ts";
import { permissionMarkCall } from "../../ffi/fanotify/permission.ts";
import { filesystemMarkCall } from "../../ffi/fanotify/calls.ts";
import { quoted } from "../log.ts";
import type { BackendName } from "../rule/rule.ts";
import { limitText, sysctlValue } from "./limits.ts";
import { overlayCall, remoteFilesystemCall } from "./remote-filesystems.ts";

/** `Cannot watch "/srv/in": ...` */
export function cannotWatch(path: Uint8Array, error: SyscallError, backend: BackendName): string {
  const note = error.errno === Errno.ENOENT ? literalNote(path) : "";
  return `Cannot watch ${quoted(path)}: ${causeOf(error, backend)}${note}`;
}

/** For a path that is missing: it may be meant as a pattern, or for a shell. */
export function literalNote(path: Uint8Array): string {
  return /[*?~$]/.test(lossyText(path)) ? "; *, ?, ~ and $ mean themselves in this path" : "";
}

/** A directory below a recursive root: the rest of the tree is watched. */
export function cannotWatchBelow(
  path: Uint8Array,
  error: SyscallError,
  backend: BackendName,
): string {
  if (isOfGate(error))
    return `No gate on ${quoted(path)}, nor on anything in it: ${causeOf(error, backend)}`;
  const [why, ...cure] = cannotWatch(path, error, backend).split("\n");
  return [`${why}; nothing in it will be seen`, ...cure].join("\n");
}

/** The state and the cure, after the colon. */
export function causeOf(error: SyscallError, backend: BackendName): string {
  return causeOfGate(error) ?? causeOfWatch(error, backend);
}

/** The error is about what the kernel should hold: the inode may be watched all the same. */
export function isOfGate({ syscall }: SyscallError): boolean {
  return [permissionMarkCall, remoteFilesystemCall, overlayCall].includes(syscall);
}

/** Null: the error is of no mark for a gate, or the same as of any. */
function causeOfGate({ syscall, errno }: SyscallError): string | null {
  if (syscall === remoteFilesystemCall)
    return "a server answers for that filesystem (FUSE, NFS, SMB, ...), and one that hangs would hold up all gates; gate the files that it serves, where they are";
  if (syscall === overlayCall)
    return "it is an overlay, and the kernel asks about its layers when it opens a file of it to ask about that; gate the layers, which decides for the overlay as well, or give it a gate of its own if they have none";
  if (syscall !== permissionMarkCall) return null;
  switch (errno) {
    case Errno.EINVAL:
      return "the kernel asks nobody before something is opened there (procfs); leave it out of the gate";
    case Errno.EOPNOTSUPP:
      return 'this filesystem does not say before it is read; use ext4, xfs or btrfs, or on = ["open_perm"]';
    case Errno.EEXIST:
      return "one directory cannot have gates for pre_access and for directories; give them directories of their own";
    case Errno.EPERM:
      return "gates need root (CAP_SYS_ADMIN)";
    default:
      return null;
  }
}

function causeOfWatch(error: SyscallError, backend: BackendName): string {
  switch (error.errno) {
    case Errno.ENOENT:
      return "there is no such file or directory";
    case Errno.EACCES:
      return "permission denied; run facron as a user who may read it";
    case Errno.ENOSPC:
    case Errno.ENOMEM:
    case Errno.EMFILE:
    case Errno.ENFILE:
      return limitText(error, backend);
    case Errno.ENAMETOOLONG:
      return "the path is longer than the kernel takes (4095 bytes)";
    default:
      return `${errnoText(error.errno)} (${error.syscall})`;
  }
}

/** The error is about watching a filesystem as a whole: its inodes may still be watched one by one. */
export function isOfFilesystem({ syscall }: SyscallError): boolean {
  return syscall === filesystemMarkCall || syscall === "open_by_handle_at";
}

/** Why a filesystem cannot be watched as a whole: one clause (errors of fanotify_mark(2)). */
export function whyNotFilesystem(error: SyscallError): string {
  switch (error.errno) {
    case Errno.EPERM:
      return "that needs the capabilities CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH";
    case Errno.EXDEV:
      return "the kernel does not report a btrfs subvolume so, nor any filesystem beside one or FUSE (EXDEV)";
    case Errno.ENODEV:
    case Errno.EOPNOTSUPP:
      return `the kernel does not report this filesystem as a whole (${error.code})`;
    default:
      return causeOf(error, "fanotify");
  }
}

/** What a full queue means and which number makes it longer. */
export function overflowText(backend: BackendName): string {
  return `Events were lost: ${fullQueueText(backend)}`;
}

/** The same for the queue that tells of new directories in trees of gates. */
export function gatesOverflowText(backend: BackendName): string {
  const state = "Gates may be missing on new directories until a look has found them";
  return `${state}: ${fullQueueText(backend)}`;
}

function fullQueueText(backend: BackendName): string {
  const sysctl = `fs.${backend}.max_queued_events`;
  const now = sysctlValue(sysctl);
  const size = now === null ? "" : ` (${now})`;
  const fitting = 2 ** Math.ceil(Math.log2((now ?? 16_384) * 4));
  return (
    `the kernel's ${backend} queue was full, ${sysctl} was reached${size}\n` +
    `  raise it before facron starts: sysctl ${sysctl}=${fitting}`
  );
}
