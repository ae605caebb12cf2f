/** The lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */

export interface MountInfo {
  /** As statx(2) says it: STATX_MNT_ID. Used again once it is free. */
  readonly id: number;
  /** "major:minor" of the filesystem. */
  readonly device: string;
  /** The directory of the filesystem that is mounted, and where it is: one char for one byte. */
  readonly root: string;
  readonly point: string;
  /** "ext4", "fuse.sshfs" */
  readonly type: string;
}

/** In the order of the list. @param text one char for one byte */
export function mountsIn(text: string): MountInfo[] {
  return text.split("\n").flatMap((line) => mountIn(line) ?? []);
}

/** Null: it is no such line. */
export function mountIn(line: string): MountInfo | null {
  const fields = line.split(" ");
  const [id, , device, root, point] = fields;
  if (point === undefined) return null;
  const type = fields[fields.indexOf("-") + 1]!; // behind fields whose number varies
  return { id: Number(id), device: device!, root: plain(root!), point: plain(point), type };
}

/** Blanks, tabs, newlines and backslashes are written in octal. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
