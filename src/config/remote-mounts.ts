/** Which paths are on filesystems whose files other machines change, or that a program serves. */
import { readFileSync } from "node:fs";
import { lossyText } from "../../ffi/bytes.ts";

export interface Mount {
  readonly point: string;
  readonly type: string;
  /** Other machines change its files, and this kernel hears nothing of that. */
  readonly isRemote: boolean;
  /** A program serves it. */
  readonly isFuse: boolean;
}

const remote =
  /^(nfs4?|cifs|smb3|smbfs|9p|ceph|afs|lustre|gfs2|ocfs2|beegfs|orangefs|glusterfs|virtiofs|vboxsf|davfs2?|fuse\.(sshfs|s3fs|rclone|glusterfs|cephfs|mount\.davfs|gcsfuse|goofys|davfs2?|moosefs|juicefs|hdfs|nfs))/;

/** As they are when it is made. */
export class Mounts {
  /** Longest first; none if nothing is mounted that matters here. */
  readonly #mounts = mounts();

  /** Null: on nothing special. */
  of(path: Uint8Array): Mount | null {
    if (this.#mounts.length === 0) return null;
    const text = lossyText(path);
    const holds = ({ point }: Mount): boolean =>
      point === "/" || text === point || text.startsWith(`${point}/`);
    const mount = this.#mounts.find(holds);
    return mount?.isRemote === true || mount?.isFuse === true ? mount : null;
  }
}

function mounts(): Mount[] {
  try {
    const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const all = lines.filter((line) => line.includes(" - ")).map(mountIn);
    return all.some(({ isRemote, isFuse }) => isRemote || isFuse)
      ? all.sort((a, b) => b.point.length - a.point.length)
      : [];
  } catch {
    return [];
  }
}

/** proc_pid_mountinfo(5): blanks and the like are octal escapes. */
function mountIn(line: string): Mount {
  const [before = "", after = ""] = line.split(" - ");
  const escaped = before.split(" ")[4] ?? "/";
  const point = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  const type = after.split(" ")[0] ?? "";
  return { point, type, isRemote: remote.test(type), isFuse: type.startsWith("fuse.") };
}
