/** What may stand behind each key of a TOML file, as messages say it. */

export const examples: Readonly<Record<string, string>> = {
  watch: 'watch = "/srv/in"',
  on: 'on = "close_write"',
  "gate.on": 'on = "open_perm"',
  ask: 'ask = ["/usr/local/bin/may-open", "{path}"]',
  run: 'run = ["/usr/local/bin/import", "{path}"]',
  include: 'include = ["/etc/facron.d/*.toml"]',
  user: 'user = "importer"',
  exe: 'exe = "/usr/bin/vim*"',
  comm: 'comm = "vim"',
  uid: 'uid = "www-data"',
  exclude: 'exclude = "*.part"',
  type: 'type = "file"',
  ignore_files: 'ignore_files = ".gitignore"',
  "retry.on": 'on = [75, "timeout"]',
};

const aSize = 'a size in quotes, e.g. "64MiB", or a number of bytes';
const aTime = 'a time in quotes, e.g. "2s" or "500ms"';
const aSignal = 'the name of a signal in quotes, e.g. "HUP"';

/** Behind "it is". */
export const kinds: Readonly<Record<string, string>> = {
  watch: "a path in quotes, or a list of them",
  on: "an event in quotes, or a list of them",
  run: "a list of program and arguments, each in quotes",
  include: "a list of paths, each in quotes",
  user: "a user's name in quotes, or a uid",
  actor: 'true or false, or a table, e.g. actor = { exe = "/usr/bin/vim*" }',
  "gate.actor": 'a table, e.g. actor = { exe = "/usr/bin/vim*" }',
  ask: "a list of program and arguments, each in quotes",
  cache: aTime,
  exe: "a program in quotes, or a list of them",
  comm: "a process's name in quotes, or a list of them",
  uid: "a user's name in quotes, a uid, or a list of them",
  not: 'a table, e.g. not = { comm = "backup" }',
  max_running: "a whole number from 1 to 999999",
  max_queued: "a whole number from 1 to 1000000",
  poll_interval: aTime,
  settle: aTime,
  settle_max: aTime,
  throttle: aTime,
  timeout: aTime,
  kill_after: aTime,
  busy_signal: aSignal,
  stop_signal: aSignal,
  batch: 'a table, e.g. batch = { max = 1000, wait = "1s" }',
  "batch.max": "a whole number from 2 to 1000000",
  "batch.wait": aTime,
  retry: 'a table, e.g. retry = { times = 3, backoff = "1s" }',
  "retry.times": "a whole number from 0 to 1000000",
  "retry.backoff": aTime,
  "retry.max_backoff": aTime,
  "retry.on": 'an exit code from 1 to 255, "signal", "timeout", "not-started", or a list of them',
  on_failure: "a list of program and arguments, each in quotes",
  group: "a group's name in quotes, or a gid",
  env: 'a table, e.g. env = { LANG = "C.UTF-8" }',
  umask: 'octal digits in quotes, e.g. "027"',
  nice: "a whole number from -20 to 19",
  memory_max: aSize,
  pids_max: "a whole number from 1 to 4194304",
  exclude: "a pattern in quotes, or a list of them",
  type: '"file", "dir" or "symlink", or a list of them',
  "gate.type": '"file" or "dir", or a list of them',
  min_size: aSize,
  max_size: aSize,
  ignore_files: "a name or a path in quotes, or a list of them",
  facron: "a table: write [facron] alone in a line",
  rule: "a list of tables: write [[rule]], with two brackets, above each rule",
  gate: "a list of tables: write [[gate]], with two brackets, above each gate",
};

/** Behind "each of its values is", where that is not a text. */
export const elementKinds: Readonly<Record<string, string>> = {
  uid: "a user's name in quotes, or a uid",
  "retry.on": 'an exit code from 1 to 255, "signal", "timeout" or "not-started"',
};

export const flags: readonly string[] = [
  ...["recursive", "dot_directories", "follow_symlink", "only_directory", "once"],
  ...["clear_env", "require_access", "durable", "session", "cgroup", "audit"],
];
