/** Keys that facron is to have and that this version has not: someone may well write one. */

const remove = "remove it";

/** What to do instead, by key. */
export const laterRuleKeys: Readonly<Record<string, string>> = {
  settle: "watch for close_write, which comes when a file is complete",
  batch: "the command is started once for each event; remove it",
  throttle: remove,
  stdin: "the event is in {path} and in FACRON_PATH; remove it",
  group: "user brings the groups of that user; remove it",
  cwd: 'start the command with run = ["/usr/bin/env", "-C", DIRECTORY, ...]',
  env: 'start the command with run = ["/usr/bin/env", "NAME=value", ...]',
  umask: remove,
  nice: 'start the command with run = ["/usr/bin/nice", ...]',
  memory_max: remove,
  pids_max: remove,
  timeout: 'start the command with run = ["/usr/bin/timeout", "5m", ...]',
  stop_signal: remove,
  kill_after: remove,
  output: "a command's output goes where facron's log goes; remove it",
  retry: remove,
  on_failure: remove,
  loop: remove,
  durable: remove,
  order: remove,
  max_running: "put it under [facron], for all rules together",
  when_full: remove,
};

export const laterSettings: Readonly<Record<string, string>> = {
  state_dir: remove,
  backend: "put it into the rules",
  poll_interval: "put it into the rules",
  when_busy: "put it into the rules",
  user: "put it into the rules",
  order: remove,
  output: remove,
  timeout: remove,
  retry: remove,
};

export const laterWhenBusy: readonly string[] = ["merge", "restart", "signal"];
