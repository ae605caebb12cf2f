/** The files behind facron's own stdout and stderr: an event stream that feeds on itself never ends. */
import { bytesEqual, cString, fromLatin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { descriptorStatus, fileStatus, readLink, S_IFREG } from "../../ffi/files.ts";
import { joined, type Node } from "./tree.ts";

const slash = 0x2f;

interface OwnOutput {
  readonly inode: string;
  readonly directoryInode: string;
  readonly name: Uint8Array;
}

/** Regular files only: pipes, sockets and terminals cannot be watched into a circle. */
export class OwnOutputs {
  readonly #outputs: OwnOutput[];

  /** @param fds descriptors that the program or its commands write to */
  constructor(fds: readonly number[]) {
    this.#outputs = fds.flatMap((fd) => outputAt(fd) ?? []);
  }

  get isEmpty(): boolean {
    return this.#outputs.length === 0;
  }

  has(inode: string): boolean {
    return this.#outputs.some((output) => output.inode === inode);
  }

  /** Whether a path leads to one. */
  isAt(path: Uint8Array): boolean {
    if (this.isEmpty) return false;
    const status = statusOrNull(cString(path));
    return status !== null && this.has(status.inode);
  }

  /** Names of own outputs in a directory, null if there are none (almost always). */
  namesIn(inodeOf: () => string): Uint8Array[] | null {
    if (this.isEmpty) return null;
    const directoryInode = inodeOf();
    const here = this.#outputs.filter((output) => output.directoryInode === directoryInode);
    return here.length === 0 ? null : here.map((output) => output.name);
  }

  /** An own output that got another name (logrotate) is still one; a new file under its old name is not. */
  noticeNewName(node: Node, name: Uint8Array): void {
    const status = statusOrNull(cString(joined(node, name)));
    const others = node.ownOutputs?.filter((own) => !bytesEqual(own, name)) ?? [];
    const isOwn = status !== null && this.has(status.inode);
    node.ownOutputs = isOwn ? [...others, name] : others.length > 0 ? others : null;
  }
}

function outputAt(fd: number): OwnOutput | null {
  try {
    const status = descriptorStatus(fd);
    if (status.kind !== S_IFREG) return null;
    const path = readLink(fromLatin1(`/proc/self/fd/${fd}\0`));
    const cut = path.lastIndexOf(slash);
    const directory = fileStatus(cString(path.subarray(0, Math.max(cut, 1))));
    return { inode: status.inode, directoryInode: directory.inode, name: path.slice(cut + 1) };
  } catch (error) {
    // Closed, or deleted since: nothing that could be watched by a name.
    if (error instanceof SyscallError) return null;
    throw error;
  }
}

/** The file at a path, null if there is none or it may not be looked at. */
export function statusOrNull(
  path: Uint8Array,
  { followSymlink = true } = {},
): ReturnType<typeof fileStatus> | null {
  try {
    return fileStatus(path, { followSymlink });
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
