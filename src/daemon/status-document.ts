/** What `facron status` is told by each facron: the form of its JSON, and a check of what came. */
import { z } from "zod";

const count = z.number();
const time = z.string();
const percentiles = z.object({ p50: z.number().nullable(), p99: z.number().nullable() });

const ruleSchema = z.object({
  name: z.string(),
  /** False: its events are only written out. */
  runs_command: z.boolean(),
  /** A reload has taken it away, and it still has something to do. */
  removed: z.literal(true).optional(),
  events: count,
  runs: count,
  running: count,
  queued: count,
  retrying: count,
  failed: count,
  retried: count,
  dropped: count,
  skipped: count,
  own: count,
  suspended: count,
  last: z.object({ how: z.string(), at: time }).nullable(),
  waited_ms: percentiles,
  ran_ms: percentiles,
});

const backendSchema = z.object({
  name: z.enum(["fanotify", "inotify", "poll"]),
  paths: count,
  /** Kernel marks or watches; of polling the files and directories that are compared. */
  marks: count,
  /** Records read; polling has none. */
  events: count.optional(),
  overflows: count.optional(),
});

const readerSchema = z.object({
  state: z.enum(["reading", "held back", "no answer", "ended"]),
  /** The path whose filesystem it is asking, while it does not answer. */
  waits_for: z.string().nullable(),
  /** When it told what is below; null: it has not yet. */
  as_of: time.nullable(),
  backends: z.array(backendSchema),
  /** Paths and directories that a limit of the kernel keeps from being watched. */
  unwatched: count,
  /** Paths and patterns that nothing is at yet. */
  missing: count,
});

/** Null: it does not answer, or cannot be read. */
const journalCount = count.nullable();

const journalSchema = z.object({
  file: z.string(),
  /** Events that are not done with: they wait, or run. */
  kept: journalCount,
  /** Those of them for which a run has been started: it goes on, or is to be tried again. */
  running: journalCount,
  /** Given up. */
  dead: journalCount,
});

const gateSchema = z.object({
  name: z.string(),
  allowed: count,
  denied: count,
  /** Of both: by an answer that was known already, by `on_timeout`, by `on_error`. */
  cached: count,
  timed_out: count,
  failed: count,
  /** Processes that wait for a verdict. */
  waiting: count,
  /** Of its command, if it asks one. */
  runs: count,
  running: count,
  ran_ms: percentiles,
});

const gatesSchema = z.object({
  state: z.enum(["deciding", "no answer"]),
  /** When the gate thread told what is in the list; null: it has not yet. */
  as_of: time.nullable(),
  /** Questions that the guard allowed, as facron did not answer. */
  passed_over: count,
  list: z.array(gateSchema),
});

export const statusSchema = z.object({
  v: z.literal(1),
  facron: z.string(),
  pid: z.number(),
  state: z.enum(["starting", "running", "ending"]),
  since: time,
  configuration: z.array(z.string()),
  running: count,
  max_running: count,
  queued: count,
  total: z.object({ events: count, runs: count, failed: count, retried: count, dropped: count }),
  rules: z.array(ruleSchema),
  reader: readerSchema,
  /** The thread for `output = "log"`, if it was needed: commands that it reads from. */
  output: z.object({ commands: count }).nullable(),
  /** Of durable rules; null: there has been none. */
  journal: journalSchema.nullable(),
  /** Null: there are none. */
  gates: gatesSchema.nullable(),
});

export type StatusDocument = z.infer<typeof statusSchema>;
export type RuleInStatus = z.infer<typeof ruleSchema>;
export type JournalInStatus = z.infer<typeof journalSchema>;
export type ReaderInStatus = z.infer<typeof readerSchema>;
export type GatesInStatus = z.infer<typeof gatesSchema>;
export type GateInStatus = z.infer<typeof gateSchema>;
export type BackendInStatus = z.infer<typeof backendSchema>;
