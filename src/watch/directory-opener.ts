/** Opens the directories of the tree, wherever they are by now: by their paths, or by their handles. */
import { bytesEqual, cString, fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { readLink } from "../../ffi/files.ts";
import type { Log } from "../log.ts";
import type { Backend } from "./backend.ts";
import type { Doubt } from "./doubt.ts";
import { cannotWatchBelow } from "./explain.ts";
import { OpenDirectory } from "./open-directory.ts";
import { type Node, pathForCall, type Sighting } from "./tree.ts";

const dotDot = utf8("..");
const slash = 0x2f;

/** <linux/limits.h>, the NUL included: the kernel takes no longer path in one call. */
const PATH_MAX = 4096;

export class DirectoryOpener {
  readonly #backend: Backend;
  readonly #log: Log;
  readonly #doubt: Doubt;
  #saidOpenFiles = false;

  constructor(backend: Backend, { log, doubt }: { log: Log; doubt: Doubt }) {
    this.#backend = backend;
    this.#log = log;
    this.#doubt = doubt;
  }

  /** The directory of a node, wherever it is by now; null if it is not to be found. */
  open(node: Node): OpenDirectory | null {
    const found = this.find(node);
    return found === "elsewhere" ? null : found;
  }

  /** @returns "elsewhere" if its path leads to something else, and nothing but a record can tell more */
  find(node: Node): OpenDirectory | "elsewhere" | null {
    const { identity } = node.mark;
    const isIt = ({ path }: OpenDirectory): boolean => this.#backend.recognizes(node.mark, path);
    try {
      const directory = this.#openAtPath(node)?.keepIf(isIt) ?? null;
      if (directory !== null) return directory;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno === Errno.EACCES || error.errno === Errno.EMFILE) {
        this.sayCannot(node.path, error);
        return null;
      }
    }
    if (identity === null) return "elsewhere";
    return openWhereSeen(node)?.keepIf(isIt) ?? this.byIdentity(node.parent ?? node, identity);
  }

  /** @throws {SyscallError} as open(2) */
  #openAtPath(node: Node): OpenDirectory | null {
    const path = pathForCall(node);
    if (node.parent === null) return OpenDirectory.follow(path); // it may be a symbolic link
    if (path.length <= PATH_MAX) return OpenDirectory.at(path);
    using parent = this.open(node.parent);
    return parent && parent.open(node.name);
  }

  /**
   * @param near something on the same filesystem, or below it
   * @returns null if it is gone, or cannot be found so: then all is looked at when the records are read
   */
  byIdentity(near: Node, identity: Uint8Array): OpenDirectory | null {
    for (let at: Node | null = near; at !== null; at = at.parent) {
      const found = this.#backend.openByIdentity(pathForCall(at), identity);
      if (typeof found === "object") return new OpenDirectory(found);
      if (found === "gone") return null;
      if (found === "cannot") break;
    }
    this.#doubt.raise();
    return null;
  }

  /** Whether it is the directory of a place that is at its path. */
  isStillThere(node: Node): boolean {
    try {
      return this.#backend.recognizes(node.mark, pathForCall(node));
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** Whether it is what an identity names that is where the tree has a directory. */
  isAtItsPath(node: Node, identity: Uint8Array): boolean {
    try {
      const found = this.#backend.identityOf(pathForCall(node));
      return found !== null && bytesEqual(found, identity);
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** Where a directory is by now, if that is in a directory of the same root. */
  whereabouts(node: Node, identity: Uint8Array): Omit<Sighting, "at"> | null {
    using directory = this.byIdentity(node.parent ?? node, identity);
    if (directory === null) return null;
    try {
      const path = readLink(directory.path);
      const mark = this.#backend.markAt(directory.entry(dotDot));
      const parent = mark?.nodes.find(({ root }) => root === node.root);
      return parent === undefined
        ? null
        : { parent, name: path.slice(path.lastIndexOf(slash) + 1) };
    } catch (error) {
      if (error instanceof SyscallError) return null;
      throw error;
    }
  }

  /** Gone since, or another thing: its own records say so. Anything else hides a part of the tree. */
  sayCannot(path: Uint8Array, error: SyscallError): void {
    const { errno } = error;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.ELOOP) return;
    if (errno === Errno.EMFILE) {
      if (this.#saidOpenFiles) return;
      this.#saidOpenFiles = true; // it is the same for each directory
    }
    this.#log.warn(cannotWatchBelow(path, error, this.#backend.name));
  }
}

/** Looks are ahead of the tree, and not every filesystem opens by a handle. @returns null if it is not there either */
function openWhereSeen(node: Node): OpenDirectory | null {
  const path = seenPath(node);
  if (path === null) return null;
  try {
    return OpenDirectory.at(path);
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}

/** Where looks have found a directory, or those that it is in; null if that is nowhere but where the tree has it. */
function seenPath(node: Node): Uint8Array | null {
  const names: string[] = [];
  const below = new Set<Node>();
  let isElsewhere = false;
  let at = node;
  while (at.parent !== null) {
    if (below.has(at)) return null; // looks of several moments
    below.add(at);
    isElsewhere ||= at.seen !== null;
    names.unshift(latin1((at.seen ?? at).name));
    at = at.seen?.parent ?? at.parent;
  }
  return isElsewhere ? cString(fromLatin1(latin1(at.prefix.raw) + names.join("/"))) : null;
}
