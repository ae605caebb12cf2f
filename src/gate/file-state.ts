/** What a question's file is now, asked of its descriptor: nothing is looked up by a path. */
import { AT } from "../../ffi/fd.ts";
import {
  RawStatus,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  STATX_BASIC_STATS,
  STATX_MNT_ID,
  statxLayout,
} from "../../ffi/files.ts";
import type { FileFacts, FileType } from "../rule/subject.ts";

const types = new Map<number, FileType>([
  [S_IFREG, "file"],
  [S_IFDIR, "dir"],
  [S_IFLNK, "symlink"],
]);

const noPath = new Uint8Array(1);

/** As the kernel has it: a server is not asked, which might not answer. */
const flags = AT.EMPTY_PATH | AT.STATX_DONT_SYNC;

const wanted = STATX_BASIC_STATS | STATX_MNT_ID;

const nanosecondsPerSecond = 1e9;

export class FileState {
  readonly #status = new RawStatus();
  readonly #view = new DataView(this.#status.bytes.buffer);

  /** @returns false if it cannot be asked */
  read(fd: number): boolean {
    return this.#status.readSome(noPath, flags, fd, wanted) === 0;
  }

  get facts(): FileFacts {
    const kind = this.#view.getUint16(statxLayout.stx_mode, true) & S_IFMT;
    return {
      type: types.get(kind) ?? "other",
      size: Number(this.#view.getBigUint64(statxLayout.stx_size, true)),
    };
  }

  /** It has no name any more. */
  get isDeleted(): boolean {
    return this.#word(statxLayout.stx_nlink) === 0;
  }

  /** Which file, and which state of it: another after each change. */
  get key(): string {
    return `${this.inode} ${this.#word(statxLayout.stx_ctime)}.${this.#word(statxLayout.stx_ctime + 8)} ${this.#word(statxLayout.stx_size + 4)}.${this.#word(statxLayout.stx_size)}`;
  }

  /** "major:minor" of its filesystem; of btrfs another one than in mountinfo. */
  get device(): string {
    return `${this.#word(statxLayout.stx_dev_major)}:${this.#word(statxLayout.stx_dev_minor)}`;
  }

  /** As `FileStatus.inode`. */
  get inode(): string {
    return `${this.device}:${this.#view.getBigUint64(statxLayout.stx_ino, true)}`;
  }

  /** The mount by which it was opened, as `MountInfo.id`; -1 before Linux 5.8. */
  get mountId(): number {
    const answered = this.#word(statxLayout.stx_mask) & STATX_MNT_ID;
    return answered === 0 ? -1 : this.#word(statxLayout.stx_mnt_id);
  }

  /** Some filesystems have times in whole seconds (ext4 with inodes of 128 bytes), or two (FAT). */
  get hasFineTimes(): boolean {
    return this.#word(statxLayout.stx_ctime + 8) !== 0;
  }

  /** Nanoseconds since 1970, as near as a double has it. */
  get changed(): number {
    const seconds = Number(this.#view.getBigInt64(statxLayout.stx_ctime, true));
    return seconds * nanosecondsPerSecond + this.#word(statxLayout.stx_ctime + 8);
  }

  #word(at: number): number {
    return this.#status.words[at >> 2]!;
  }
}
