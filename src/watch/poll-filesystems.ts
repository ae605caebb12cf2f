/** What polling has to know of the filesystems that it looks at, by their device. */
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { filesystemType, FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC } from "../../ffi/statfs.ts";

export interface PollFilesystem {
  /** A file may get another inode number when the kernel has forgotten it. */
  readonly inodesChange: boolean;
  /** The time of a directory changes with each entry that comes or goes. */
  readonly keepsDirectoryTimes: boolean;
}

/**
 * Magic numbers of linux/magic.h. Others (FUSE, CIFS, 9p, ...) may well keep them, but nothing says so:
 * there directories are listed in each round.
 */
const keepers = new Set([
  0xef53, // ext2, ext3, ext4
  0x5846_5342, // xfs
  0x9123_683e, // btrfs
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs
  0xf2f5_2010, // f2fs
  0x2fc1_2fc1, // zfs
  0xca45_1a4e, // bcachefs
  0x4d44, // FAT
  0x2011_bab0, // exFAT
  NFS_SUPER_MAGIC,
]);

const unknown: PollFilesystem = { inodesChange: false, keepsDirectoryTimes: false };

export class PollFilesystems {
  readonly #byDevice = new Map<string, PollFilesystem>();

  /** @param path of something on the device */
  at(device: string, path: Uint8Array): PollFilesystem {
    const known = this.#byDevice.get(device);
    if (known !== undefined) return known;
    const found = look(path);
    if (found !== null) this.#byDevice.set(device, found);
    return found ?? unknown;
  }

  /** Something was mounted or unmounted: a device's number may be another's by now. */
  forget(): void {
    this.#byDevice.clear();
  }
}

function look(path: Uint8Array): PollFilesystem | null {
  try {
    const type = filesystemType(cString(path));
    return { inodesChange: type === FUSE_SUPER_MAGIC, keepsDirectoryTimes: keepers.has(type) };
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
