/** Whether root may follow what is in a file: nobody else may be able to change it. */
import { lstatSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "./odd-paths.ts";
import { pathBytes, pathText } from "../../ffi/bytes.ts";
import { quoted } from "../log.ts";

export interface TrustOptions {
  /** A user besides root who may own it: whoever it is done as. */
  readonly owner?: number;
}

/** Symbolic links that the kernel follows on one path (path_resolution(7)). */
const linksMax = 40;

/**
 * Why root must not follow a file, as a clause with the cure; null if it may, or if we are not root.
 *
 * @param path absolute; what is no file (a pipe, a device, a descriptor) was chosen by who starts us
 */
export function distrustOf(path: string, options: TrustOptions = {}): string | null {
  if (process.geteuid!() !== 0 || /^\/(dev\/(stdin$|null$|fd\/)|proc\/)/.test(path)) return null;
  return new Trust(options.owner ?? 0).whyNot(path);
}

/** Remembers its answers about directories: ten thousand rules name the same few. */
const directories = new Map<string, string | null>();

/** Modes and owners may have changed. */
export function forgetTrust(): void {
  directories.clear();
}

class Trust {
  readonly #owner: number;

  constructor(owner: number) {
    this.#owner = owner;
  }

  whyNot(path: string, links = linksMax): string | null {
    const above = this.#directoryWhyNot(dirname(path));
    if (above !== null) return above;
    const status = lstatSync(fileName(path), { throwIfNoEntry: false });
    if (status === undefined || links === 0) return null; // reading it says what is wrong
    if (status.isSymbolicLink())
      return (
        this.#ownerWhyNot(path, status) ??
        this.whyNot(resolve(dirname(path), linkTarget(path)), links - 1)
      );
    return status.isFile() ? this.#whyNot(path, status, "it") : null;
  }

  /** Who may write a directory may put another file in the place of this one. */
  #directoryWhyNot(directory: string): string | null {
    const key = `${this.#owner} ${directory}`;
    const known = directories.get(key);
    if (known !== undefined) return known;
    const why = this.#lookAtDirectory(directory);
    directories.set(key, why);
    return why;
  }

  #lookAtDirectory(directory: string): string | null {
    const above = directory === "/" ? null : this.#directoryWhyNot(dirname(directory));
    if (above !== null) return above;
    const status = statSync(fileName(directory), { throwIfNoEntry: false });
    if (status === undefined) return null;
    // In a sticky directory only the owner of a file may rename or remove it (inode(7)).
    const isSticky = (status.mode & 0o1000) !== 0;
    return isSticky && this.#isTrusted(status.uid)
      ? null
      : this.#whyNot(directory, status, `its directory ${quoted(directory)}`);
  }

  #isTrusted(uid: number): boolean {
    return uid === 0 || uid === this.#owner;
  }

  #ownerWhyNot(path: string, { uid }: Stats): string | null {
    if (this.#isTrusted(uid)) return null;
    return `it is a link of ${userName(uid)}, who can make it lead elsewhere, and root would follow: run chown -h root ${path}`;
  }

  /** An access control list shows in the group's bits of the mode, as its mask (acl(5)). */
  #whyNot(path: string, { uid, gid, mode }: Stats, what: string): string | null {
    const danger = "and root would do what is written there";
    if (!this.#isTrusted(uid) && what !== "it")
      return `${what} belongs to ${userName(uid)}, who can put another file there, ${danger}: move it to a directory of root's, e.g. in /etc or /usr/local`;
    if (!this.#isTrusted(uid))
      return `${what} belongs to ${userName(uid)}, ${danger}: run chown root ${path}`;
    if ((mode & 0o002) !== 0)
      return `${what} can be written by everybody, ${danger}: run chmod o-w ${path}`;
    if ((mode & 0o020) !== 0 && gid !== 0)
      return `${what} can be written by the group ${groupName(gid)}, ${danger}: run chmod g-w ${path}`;
    return null;
  }
}

function fileName(path: string): Buffer {
  return Buffer.from(pathBytes(path));
}

function linkTarget(path: string): string {
  return pathText(readlinkSync(fileName(path), { encoding: "buffer" }));
}

function userName(uid: number): string {
  return nameIn("/etc/passwd", uid) ?? `uid ${uid}`;
}

function groupName(gid: number): string {
  return nameIn("/etc/group", gid) ?? `gid ${gid}`;
}

function nameIn(file: string, id: number): string | null {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.find((line) => line.split(":")[2] === String(id))?.split(":")[0] ?? null;
  } catch {
    return null;
  }
}
