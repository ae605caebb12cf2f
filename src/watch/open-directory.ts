/** A directory held open for a moment: whatever becomes of its path, it is this one. */
import { O, openEntry, openFd } from "../../ffi/fd.ts";
import { addEntries, type Entry } from "../../ffi/files.ts";
import { OpenPath } from "./open-path.ts";

const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.NONBLOCK;

const slash = 0x2f;

export class OpenDirectory extends OpenPath {
  /** @param path NUL-terminated; a symbolic link is not followed. @throws {SyscallError} as open(2) */
  static at(path: Uint8Array): OpenDirectory {
    return new OpenDirectory(openFd(path, flags));
  }

  /** The same, and a symbolic link is. */
  static override follow(path: Uint8Array): OpenDirectory {
    return new OpenDirectory(openFd(path, flags & ~O.NOFOLLOW));
  }

  /** What the names in it are put behind, for as long as it is open. */
  get prefix(): Uint8Array {
    return this.entry(new Uint8Array(0)).subarray(0, this.path.length);
  }

  get number(): number {
    return this.fd.number;
  }

  /** A directory in it; a symbolic link is none. @throws {SyscallError} as openat(2) */
  open(name: Uint8Array): OpenDirectory {
    return new OpenDirectory(openEntry(this.fd.number, name, flags));
  }

  /** Itself, if it is the one that is meant; else it is closed, as it is if that cannot be told. */
  keepIf(isMeant: (directory: this) => boolean): this | null {
    let isKept = false;
    try {
      isKept = isMeant(this);
      return isKept ? this : null;
    } finally {
      if (!isKept) this[Symbol.dispose]();
    }
  }

  /** The path of an entry, NUL-terminated. */
  entry(name: Uint8Array): Uint8Array {
    const { length } = this.path;
    const path = new Uint8Array(length + name.length + 1);
    path.set(this.path);
    path[length - 1] = slash;
    path.set(name, length);
    return path;
  }

  /** What is in it now, as `addEntries` adds it. @throws {SyscallError} */
  addTo(entries: Entry[], only?: "directories"): void {
    addEntries(entries, this.fd.number, only);
  }
}
