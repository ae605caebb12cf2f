/** Hears that a filesystem was mounted or unmounted, and knows what was mounted before. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Fd, O, openFd } from "../../ffi/fd.ts";
import { MountTable } from "../watch/mount-table.ts";
import { type MountsSeen, seeMounts } from "../watch/mounts.ts";
import type { WatchTable } from "../watch/watch-table.ts";

export class MountWatch {
  /** proc_pid_mountinfo(5): POLLPRI says that the table of mounts has changed, once to each that asks. */
  readonly #fd = openMountTable();
  readonly #mounts = new MountTable();
  #hasNews = false;

  /** For poll(2) with POLLPRI; -1: nobody will say. */
  get pollFd(): number {
    return this.#fd?.number ?? -1;
  }

  /** As poll(2) has said. */
  notice(): void {
    this.#hasNews = true;
  }

  /** Something was noticed, and is not followed yet. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** What has changed: for `followMounts`, when what is queued has been read. */
  see(tables: readonly WatchTable[]): MountsSeen {
    this.#hasNews = false;
    return seeMounts(tables, this.#mounts);
  }
}

function openMountTable(): Fd | null {
  try {
    return openFd(cString(utf8("/proc/self/mountinfo")), O.RDONLY);
  } catch (error) {
    if (error instanceof SyscallError) return null; // no /proc: unmounting goes unnoticed
    throw error;
  }
}
