/** Filesystems that others change too: of what they do the kernel has no record, and that has to be said. */
import { readFileSync } from "node:fs";
import { latin1 } from "../../ffi/bytes.ts";
import { mountsIn } from "../../ffi/mount-info.ts";
import { type Log, quoted } from "../log.ts";
import type { Root } from "./tree.ts";

/** As mountinfo names them; of FUSE "fuse." and what its server calls itself come on top of these. */
const sharedTypes: ReadonlySet<string> = new Set([
  "9p",
  "afs",
  "beegfs",
  "ceph",
  "cifs",
  "coda",
  "fuse",
  "gfs2",
  "gpfs",
  "lustre",
  "nfs",
  "nfs4",
  "ocfs2",
  "orangefs",
  "prl_fs",
  "smb3",
  "smbfs",
  "vboxsf",
  "virtiofs",
  "vmhgfs",
]);

export class SharedFilesystems {
  readonly #log: Pick<Log, "warn">;
  /** Paths of which it is said. */
  readonly #said = new Set<string>();
  /** By "major:minor". Null: not read since something may have been mounted. */
  #typeByDevice: ReadonlyMap<string, string> | null = null;

  constructor(log: Pick<Log, "warn">) {
    this.#log = log;
  }

  /** Other filesystems may be mounted than before. */
  forget(): void {
    this.#typeByDevice = null;
  }

  /** Once for each path that the kernel watches. */
  notice({ path, node }: Root): void {
    const key = latin1(path);
    if (node === null || this.#said.has(key)) return;
    this.#typeByDevice ??= mountedTypes(readFileSync("/proc/self/mountinfo", "latin1"));
    const device = node.inode.slice(0, node.inode.lastIndexOf(":"));
    const type = this.#typeByDevice.get(device) ?? "";
    if (!isShared(type)) return;
    this.#said.add(key);
    this.#log.warn(
      `Watching ${quoted(path)} on ${type}: only what is changed through this mount is told, ` +
        "not what other machines change\n" +
        '  poll it: backend = "poll" in a rule in TOML, or facron watch --backend poll',
    );
  }
}

/**
 * The type of each mounted filesystem by its device, from /proc/self/mountinfo. A btrfs subvolume has another
 * device in statx(2): it is not found, and need not be.
 */
export function mountedTypes(mountinfo: string): Map<string, string> {
  return new Map(mountsIn(mountinfo).map(({ device, type }) => [device, type]));
}

/** "fuseblk" is a disk's. */
export function isShared(type: string): boolean {
  return sharedTypes.has(type) || type.startsWith("fuse.");
}
