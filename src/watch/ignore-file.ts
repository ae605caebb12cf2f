/** One ignore file, read again when it has changed. */
import { cString } from "../../ffi/bytes.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { O, openFd, readNow } from "../../ffi/fd.ts";
import { descriptorStatus, fileStatus, type FileStatus, S_IFREG } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import { ignoreRulesOf } from "../rule/ignore-rules.ts";
import type { IgnoreRule, IgnoreRulesNow } from "../rule/subject.ts";
import { causeOf } from "./explain.ts";

/** Each line is compared with each name, and whoever may write here may write the file. */
export const ignoreFileBytesMax = 256 * 1024;

/**
 * A change within this time of the last one may leave the same time behind it, which is that of the
 * last clock tick (10 ms at most): microseconds, with room.
 */
const tickMax = 50_000;

interface Options {
  readonly followSymlink: boolean;
  /** Its number changes when the file has to be looked at again. */
  readonly clock: { readonly moment: number };
  readonly log: Pick<Log, "warn">;
}

export class IgnoreFile implements IgnoreRulesNow {
  readonly #path: Uint8Array;
  readonly #options: Options;
  #rules: readonly IgnoreRule[] = [];
  /** Of the clock, when it was looked at. */
  #moment = -1;
  /** What it was when it was read; null: it has to be read again, whatever it is. */
  #stamp: string | null = null;
  #isFaultSaid = false;

  constructor(path: Uint8Array, options: Options) {
    this.#path = path;
    this.#options = options;
  }

  get rules(): readonly IgnoreRule[] {
    const { moment } = this.#options.clock;
    if (this.#moment !== moment) {
      this.#moment = moment;
      this.#look();
    }
    return this.#rules;
  }

  #look(): void {
    try {
      const { followSymlink } = this.#options;
      const status = fileStatus(cString(this.#path), { followSymlink });
      if (stampOf(status) === this.#stamp) return;
      this.#rules = status.kind === S_IFREG ? this.#read() : [];
      const isSettled = nowMicroseconds() - status.changed > tickMax;
      this.#stamp = isSettled ? stampOf(status) : null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#stamp = null;
      this.#rules = [];
      if (!isAbsence(error)) this.#sayFault(causeOf(error, "inotify"));
    }
  }

  /** Opened without waiting for anyone: by now it may be a pipe. */
  #read(): readonly IgnoreRule[] {
    const noFollow = this.#options.followSymlink ? 0 : O.NOFOLLOW;
    using file = openFd(cString(this.#path), O.RDONLY | O.NONBLOCK | noFollow);
    const status = descriptorStatus(file.number);
    if (status.kind !== S_IFREG) return [];
    const buffer = new Uint8Array(Math.min(status.size, ignoreFileBytesMax) + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = readNow(file.number, buffer.subarray(length));
      if (count <= 0) break;
      length += count;
    }
    if (length <= ignoreFileBytesMax) return ignoreRulesOf(buffer.slice(0, length), this.#path);
    this.#sayFault(`it is longer than ${ignoreFileBytesMax >> 10} KiB; make it shorter`);
    return [];
  }

  /** Once. */
  #sayFault(why: string): void {
    if (this.#isFaultSaid) return;
    this.#isFaultSaid = true;
    const path = quoted(this.#path);
    this.#options.log.warn(`Cannot use the ignore file ${path}: ${why}; it ignores nothing`);
  }
}

function stampOf({ inode, size, changed }: FileStatus): string {
  return `${inode} ${size} ${changed}`;
}

function isAbsence({ errno }: SyscallError): boolean {
  return errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.ELOOP;
}
