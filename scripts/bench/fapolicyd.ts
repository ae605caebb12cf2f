/** fapolicyd, the File Access Policy Daemon: deny by a set of paths, allow the rest, no trust database. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeConfig } from "./contender.ts";
import { deniedSuffix, type GateContender } from "./gate-contenders.ts";

/**
 * It knows its files by fixed paths, and marks each mount whose type `watch_fs` names. So it gets a mount
 * namespace of its own: other files at those paths, and nobody else's mounts. Openers enter it too.
 */
export const fapolicyd: GateContender = {
  name: "fapolicyd --debug-deny",
  role: "peer",
  backend: "fanotify",
  program: "fapolicyd",
  package: "fapolicyd",
  wholeMount: true,
  expects: "deny",
  opensWithin: (pid) => ["nsenter", `--mount=/proc/${pid}/ns/mnt`],
  command: ({ workspace, directory }) => {
    const config = join(writeConfig(workspace, "fapolicyd.conf", settings), "..");
    writeFileSync(join(config, "fapolicyd.trust"), "");
    writeFileSync(join(config, "compiled.rules"), rulesFor(directory));
    const [run, state] = ["run", "state"].map((name) => join(config, name));
    for (const path of [run!, state!]) mkdirSync(path);
    const script = [
      `mount --bind '${config}' /etc/fapolicyd`,
      `mount --bind '${run}' /run/fapolicyd`,
      `mount --bind '${state}' /var/lib/fapolicyd`,
      "exec fapolicyd --debug-deny --no-details",
    ].join(" && ");
    return {
      argv: ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
      readyText: "Starting to listen for events",
    };
  },
};

/** Queue and caches larger than the tree. As root: it cannot always change its user where we run. */
const settings = `permissive = 0
nice_val = 0
q_size = 2048
uid = root
gid = root
do_stat_report = 0
detailed_report = 0
db_max_size = 50
subj_cache_size = 1549
obj_cache_size = 8191
watch_fs = tmpfs
trust = file
integrity = none
syslog_format = rule,dec,perm,pid,exe,:,path
allow_filesystem_mark = 0
`;

/** Its rules have no patterns for paths: a set of all that are denied (fapolicyd.rules(5)). */
function rulesFor(directory: string): string {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const denied = names.filter((name) => name.endsWith(deniedSuffix));
  const set = denied.map((name) => join(directory, name)).join(",");
  return `%denied=${set}\ndeny perm=open all : path=%denied\nallow perm=any all : all\n`;
}
