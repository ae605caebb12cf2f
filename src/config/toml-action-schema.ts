/** The keys of the TOML about how commands run: in a `[[rule]]`, and what `[facron]` says for all of them. */
import { z } from "zod";

const text = z.string().min(1);
const flag = z.boolean().optional();
const duration = text.optional();

/** What retries can be for, besides exit codes. */
const failureKinds = ["signal", "timeout", "not-started"] as const;

const failure = z.union([z.int().min(1).max(255), z.enum(failureKinds)]);

const batch = z.strictObject({
  max: z.int().min(2).max(1_000_000).optional().describe("Events in a run. Default: 1000"),
  wait: duration.describe("From the first of them to the run. Default: 1s"),
});

const retry = z.strictObject({
  times: z.int().min(0).max(1_000_000).describe("Runs after the first one; 0: none"),
  backoff: duration.describe("Before the first of them; it doubles each time. Default: 1s"),
  max_backoff: duration.describe("It does not grow beyond this. Default: 5m"),
  on: z
    .union([failure, z.array(failure).min(1)])
    .optional()
    .describe(
      'Only after these: exit codes, "signal", "timeout", "not-started". Default: any failure',
    ),
});

/** Of one command: `[facron]` can't say it for all. */
const ownKeys = {
  batch: batch
    .optional()
    .describe('One run for many events: their paths are "{paths}" in run, or come on stdin'),
  stdin: z
    .enum(["none", "json", "paths0"])
    .optional()
    .describe(
      "What the command reads: nothing, a line of JSON for each event, or paths with a NUL behind each. Default: none",
    ),
};

/** What the kernel gives a command: of rules, gates and `[facron]`. */
export const surroundingKeys = {
  user: z
    .union([text, z.int().min(0)])
    .optional()
    .describe("Whom the command runs as, with all groups, HOME, USER, LOGNAME and SHELL"),
  group: z
    .union([text, z.int().min(0)])
    .optional()
    .describe("Its primary group. Default: that of the user"),
  cwd: text.optional().describe("Its working directory. Default: facron's own"),
  env: z
    .record(z.string(), z.string())
    .optional()
    .describe("Variables on top of its environment, as they are written"),
  clear_env: flag.describe("Nothing of facron's environment reaches the command. Default: false"),
  umask: z
    .union([z.int().min(0), text])
    .optional()
    .describe('In octal: "027", 0o027. Default: facron\'s own'),
  nice: z.int().min(-20).max(19).optional().describe("Default: facron's own"),
  session: flag.describe("It gets a session of its own, as by setsid(2). Default: false"),
  cgroup: flag.describe("It gets a cgroup of its own, which ends with it. Default: false"),
  memory_max: z
    .union([z.int().min(0), text])
    .optional()
    .describe('Memory of all its processes, in a cgroup of its own: "512MiB", at least 1 MiB'),
  pids_max: z
    .int()
    .min(1)
    .max(4_194_304)
    .optional()
    .describe("Processes and threads at once, in a cgroup of its own"),
  output: text
    .optional()
    .describe(
      "Where stdout and stderr go: log, inherit, null, or the path of a file. Default: inherit",
    ),
};

export const defaultKeys = {
  order: z
    .enum(["path", "rule", "none"])
    .optional()
    .describe(
      "path: runs for one path never overlap and come in the order of its events; rule: that for all paths together; none: as they come. Default: path",
    ),
  max_queued: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe("Events of the rule that may wait. Default: 1000000"),
  when_full: z
    .enum(["block", "drop_oldest", "drop_new"])
    .optional()
    .describe(
      "When so many wait: nothing more is read until there is room, or the oldest or the new one is dropped, which is logged and counted. Default: block",
    ),
  when_busy: z
    .enum(["queue", "merge", "skip", "restart", "signal"])
    .optional()
    .describe(
      "What comes while the command runs for that path (or the rule, see order): waits, becomes one more run, is left out, stops it and starts it anew, or is told to it by a signal. Default: queue",
    ),
  busy_signal: text.optional().describe('With when_busy = "signal". Default: HUP'),
  settle: duration.describe("So long nothing may happen to a path before it runs. Default: 0s"),
  settle_max: duration.describe(
    "With settle: so long after its first event a path runs, even if it never rests. Default: 0s, never",
  ),
  throttle: duration.describe(
    "One start for a path (or the rule, see order) in this time; the first and the last event are kept. Default: 0s",
  ),
  timeout: duration.describe("A run that takes longer gets stop_signal. Default: 0s, never"),
  stop_signal: text.optional().describe("For a run that is to end. Default: TERM"),
  kill_after: duration.describe("From stop_signal to SIGKILL. Default: 5s"),
  retry: retry.optional().describe("How often a run that failed is tried again. Default: never"),
  on_failure: z
    .array(z.string())
    .optional()
    .describe(
      "Runs once for what failed and is not tried again: as run, with {error}. An empty list: nothing",
    ),
  loop: z
    .enum(["stop", "allow"])
    .optional()
    .describe("Whether what the rule's own commands do sets it off. Default: stop"),
  durable: flag.describe(
    "Each event is on disk until its run succeeded or was given up. Default: false",
  ),
  ...surroundingKeys,
  require_access: flag.describe(
    "With user: only for what that user may read itself. Default: false",
  ),
};

export const actionKeys = {
  max_running: z
    .int()
    .min(1)
    .max(999_999)
    .optional()
    .describe("Commands of the rule at once. Default: all places but one"),
  ...ownKeys,
  ...defaultKeys,
};

const actions = z.strictObject(actionKeys);

export type ActionKeys = z.infer<typeof actions>;
export type ActionKey = keyof ActionKeys;

export const batchKeys = Object.keys(batch.shape);
export const retryKeys = Object.keys(retry.shape);
