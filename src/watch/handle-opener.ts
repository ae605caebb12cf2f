/** Opens by file handle what is not at its path any more. */
import { bytesEqual, cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { readLink } from "../../ffi/files.ts";
import {
  fileIdentity,
  filesystemOf,
  hasFilesystemId,
  isSameFilesystem,
  openByIdentity,
} from "../../ffi/fanotify/calls.ts";
import type { NotOpened } from "./backend.ts";
import { OpenPath } from "./open-path.ts";

const slash = 0x2f;

/** A mark, as far as it has to be found again. */
interface Held {
  readonly identity: Uint8Array;
  readonly isDirectory: boolean;
}

export class HandleOpener {
  /** By fsid: whether directories can be opened by their handle. */
  readonly #canOpen = new Map<string, boolean>();

  /**
   * Open what an identity names.
   *
   * @param near path of something on the same filesystem, NUL-terminated
   */
  open(near: Uint8Array, identity: Uint8Array, isDirectory = true): Fd | NotOpened {
    try {
      const nearest = fileIdentity(near);
      if (!isSameFilesystem(nearest, identity)) return "no anchor";
      if (!hasFilesystemId(identity)) return "cannot"; // it may be any that has none
      using anchor = openFd(near, O.RDONLY | O.NONBLOCK);
      if (!this.#opensHandles(anchor, nearest)) return "cannot";
      return openByIdentity(anchor.number, identity, { isDirectory });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return error.syscall === "open_by_handle_at" ? "gone" : "no anchor";
    }
  }

  /**
   * Whether we may (CAP_DAC_READ_SEARCH), and the filesystem can: overlayfs and FUSE give handles that
   * only tell files apart. Asked once for each filesystem, with what is known to be there.
   */
  #opensHandles(anchor: Fd, identity: Uint8Array): boolean {
    const filesystem = latin1(filesystemOf(identity));
    const known = this.#canOpen.get(filesystem);
    if (known !== undefined) return known;
    let can = true;
    try {
      openByIdentity(anchor.number, identity).close();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      can = false;
    }
    this.#canOpen.set(filesystem, can);
    return can;
  }

  /** A path that leads to the inode of a mark, wherever it is by now; null if it is gone or cannot be found. */
  hold(mark: Held, path: Uint8Array): OpenPath | null {
    const there = openOrNull(path);
    if (there !== null && isAt(there.path, mark)) return there;
    const real = there === null ? null : readLink(there.path);
    there?.[Symbol.dispose]();
    return this.#holdNear(mark, path.subarray(0, -1)) ?? (real && this.#holdNear(mark, real));
  }

  /** By its handle. @param near a path, not NUL-terminated: something above it may be on its filesystem */
  #holdNear(mark: Held, near: Uint8Array): OpenPath | null {
    let above = near;
    while (above.length > 1) {
      above = above.subarray(0, Math.max(above.lastIndexOf(slash), 1));
      const found = this.open(cString(above), mark.identity, mark.isDirectory);
      if (typeof found === "object") return new OpenPath(found);
      if (found !== "no anchor") return null;
    }
    return null;
  }
}

function openOrNull(path: Uint8Array): OpenPath | null {
  try {
    return OpenPath.follow(path);
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}

/** Marks are changed by path, and what is there by now may have a mark of its own. */
export function isAt(path: Uint8Array, mark: Pick<Held, "identity">): boolean {
  try {
    return bytesEqual(fileIdentity(path), mark.identity);
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}
