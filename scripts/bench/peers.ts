/** The peers as contenders: programs that Debian packages, each asked for what facron is asked for. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Contender, writeConfig } from "./contender.ts";

/** inotifywait with its own format, or with the cheapest JSON that it can print. */
export function inotifywait(form: "default" | "JSON"): Contender {
  return {
    name: form === "JSON" ? "inotifywait --format" : "inotifywait",
    role: "peer",
    backend: "inotify",
    program: "inotifywait",
    package: "inotify-tools",
    command: ({ directory, events }) => ({
      argv: [
        ...["inotifywait", "-m", "-q", "-e", "close_write"],
        ...(events === "cycle" ? ["-e", "open", "-e", "modify"] : []),
        ...(form === "JSON" ? ["--format", '{"events":"%e","path":"%w%f"}'] : []),
        directory,
      ],
    }),
  };
}

export const fsnotifywait: Contender = {
  name: "fsnotifywait",
  role: "peer",
  backend: "fanotify",
  program: "fsnotifywait",
  package: "inotify-tools",
  // -q: otherwise it prints a second line per event, for debugging.
  command: ({ directory }) => ({
    argv: ["fsnotifywait", "-m", "-q", "-F", "-e", "close_write", directory],
  }),
};

/**
 * fswatch has no event for close_write: "Updated" is that and modify.
 *
 * With its default of `-l 1` it sleeps a second after every 85 events; below 1 it does not sleep.
 */
export const fswatch: Contender = {
  name: "fswatch -x -l 0.1",
  role: "peer",
  backend: "inotify",
  program: "fswatch",
  package: "fswatch",
  command: ({ directory, events }) => ({
    argv: [
      ...["fswatch", "-x", "-l", "0.1"],
      ...(events === "close_write" ? ["--event", "Updated"] : []),
      directory,
    ],
  }),
};

export const fatrace: Contender = {
  name: "fatrace",
  role: "peer",
  backend: "fanotify",
  program: "fatrace",
  package: "fatrace",
  wholeMount: true,
  command: ({ directory }) => ({ argv: ["fatrace", "-c", "-f", "C"], cwd: directory }),
};

/** incrond with a system table of one line, and every file of its own in a directory of ours. */
export const incron: Contender = {
  name: "incron",
  role: "peer",
  backend: "inotify",
  program: "incrond",
  package: "incron",
  command: ({ workspace, directory, fifo = "" }) => {
    const line = `${directory} IN_CLOSE_WRITE ${workspace.stamp} ${fifo} $@/$#\n`;
    const table = writeConfig(workspace, "table", line);
    const tables = join(table, "..");
    const home = join(writeConfig(workspace, "keep", ""), "..");
    mkdirSync(join(home, "users"));
    const config = join(home, "incron.conf");
    writeFileSync(config, incronConfig(tables, home));
    return { argv: ["incrond", "-n", "-f", config] };
  },
};

function incronConfig(tables: string, home: string): string {
  return [
    `system_table_dir = ${tables}`,
    `user_table_dir = ${home}/users`,
    `allowed_users = ${home}/allow`,
    `denied_users = ${home}/deny`,
    `lockfile_dir = ${home}`,
    "lockfile_name = incrond",
    "",
  ].join("\n");
}

export const direvent: Contender = {
  name: "direvent",
  role: "peer",
  backend: "inotify",
  program: "direvent",
  package: "direvent",
  command: ({ workspace, directory, fifo = "" }) => {
    const run = `command "${workspace.stamp} ${fifo} ${directory}/$file";`;
    const text = `watcher { path ${directory}; event CLOSE_WRITE; ${run} }\n`;
    return { argv: ["direvent", "-f", writeConfig(workspace, "direvent.conf", text)] };
  },
};
