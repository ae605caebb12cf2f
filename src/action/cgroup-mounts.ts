/** Where our own cgroups are, by proc_pid_mountinfo(5) and /proc/PID/cgroup (cgroups(7)). */

/** Directories of our own cgroup; null: not mounted, or out of sight. */
export interface CgroupHomes {
  /** Version 2. */
  readonly unified: string | null;
  /** Version 1, by controller. */
  readonly memory: string | null;
  readonly pids: string | null;
}

interface CgroupMount {
  /** "" for version 2. */
  readonly controllers: readonly string[];
  /** Which cgroup is at the mount point. */
  readonly root: string;
  readonly mountPoint: string;
}

/** @param mountinfo of /proc/self/mountinfo. @param memberships of /proc/self/cgroup */
export function cgroupHomes(mountinfo: string, memberships: string): CgroupHomes {
  const mounts = mountinfo.split("\n").flatMap(cgroupMountIn);
  const homeOf = (controller: string): string | null => {
    const path = membershipIn(memberships, controller);
    if (path === null) return null;
    const candidates = mounts.filter(({ controllers }) => controllers.includes(controller));
    return candidates.map((mount) => pathIn(mount, path)).find((home) => home !== null) ?? null;
  };
  return { unified: homeOf(""), memory: homeOf("memory"), pids: homeOf("pids") };
}

/** `36 31 0:33 ROOT MOUNT-POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER-OPTIONS` */
function cgroupMountIn(line: string): CgroupMount[] {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root, mountPoint] = before.split(" ");
  const [type, , options = ""] = after.split(" ");
  if (root === undefined || mountPoint === undefined) return [];
  const place = { root: unescaped(root), mountPoint: unescaped(mountPoint) };
  if (type === "cgroup2") return [{ controllers: [""], ...place }];
  if (type === "cgroup") return [{ controllers: options.split(","), ...place }];
  return [];
}

/** Space, tab, newline and backslash are written in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}

/** `4:memory:/path`, or `0::/path` for version 2. */
function membershipIn(memberships: string, controller: string): string | null {
  for (const line of memberships.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path !== undefined && controllers!.split(",").includes(controller)) return path;
  }
  return null;
}

/** In a container the mount may show a part of the tree only, which need not be ours. */
function pathIn({ root, mountPoint }: CgroupMount, path: string): string | null {
  if (root === path) return mountPoint;
  const above = root === "/" ? "" : root;
  return path.startsWith(`${above}/`) ? `${mountPoint}${path.slice(above.length)}` : null;
}
