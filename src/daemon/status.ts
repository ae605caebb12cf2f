/** What facron tells of itself: to `facron status` by its socket, to SIGUSR2 in the log. */
import { resolve } from "node:path";
import { errnoText } from "../../ffi/errno.ts";
import { RuleStats } from "../action/rule-stats.ts";
import { type RuleRunsStatus, ruleRunsStatus, type RunnerStatus } from "../action/runner-status.ts";
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { gatesInStatus, type GatesStatus } from "./gates-status.ts";
import { ReaderAnswers, type ReaderAnswersOptions } from "./reader-status.ts";
import { runtimeDirectory, socketOf, socketsIn } from "./runtime-directory.ts";
import { removeDeadSockets } from "./status-client.ts";
import type { JournalInStatus, RuleInStatus, StatusDocument } from "./status-document.ts";
import { StatusSocket } from "./status-socket.ts";
import { summaryOf } from "./status-text.ts";

export interface StatusOptions {
  readonly version: string;
  /** Where relative names of configuration files start. */
  readonly cwd: string;
  readonly log: Log;
  readonly reader: ReaderAnswersOptions;
  readonly runner: () => RunnerStatus;
  /** Commands from which the output thread reads; null: there is no such thread. */
  readonly output: () => number | null;
  readonly journal: () => Promise<JournalInStatus | null>;
  /** Null: there are none. */
  readonly gates: () => Promise<GatesStatus | null>;
  readonly state: () => StatusDocument["state"];
  /** Whether a socket that can't be made is told. */
  readonly saysWhyNot: boolean;
}

/** What it is about, from now on. */
export interface Followed {
  readonly rules: readonly Rule[];
  readonly files?: readonly { readonly file: string }[];
  readonly settings?: { readonly runtimeDir?: string };
}

export class Status {
  readonly reader: ReaderAnswers;
  readonly #options: StatusOptions;
  readonly #since = new Date();
  #rules: readonly Rule[] = [];
  #files: readonly string[] = [];
  /** Undefined: none was needed yet. */
  #directory: string | null | undefined;
  #socket: StatusSocket | null = null;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.reader = new ReaderAnswers(options.reader);
  }

  follow({ rules, files = [], settings }: Followed): void {
    this.#rules = rules;
    this.#files = files.map(({ file }) => resolve(this.#options.cwd, file));
    this.#listenIn(runtimeDirectory(settings?.runtimeDir));
  }

  /** The socket goes; nobody hears of anything more. */
  close(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = null;
  }

  /** A summary into the log. */
  async say(): Promise<void> {
    for (const line of summaryOf(await this.document())) this.#options.log.info(line);
  }

  /** Takes half a second at most, however long the threads take. */
  async document(): Promise<StatusDocument> {
    const { version, runner, output, state } = this.#options;
    const [reader, journal, gates] = await Promise.all([
      this.reader.now(),
      this.#options.journal(),
      this.#options.gates(),
    ]);
    const { rules, running, maxRunning, queued } = runner();
    const commands = output();
    const inStatus = this.#rulesWith(rules);
    return {
      ...{ v: 1, facron: version, pid: process.pid, state: state() },
      ...{ since: this.#since.toISOString(), configuration: [...this.#files] },
      ...{ running, max_running: maxRunning, queued, total: totalOf(inStatus) },
      ...{ rules: inStatus, reader, journal },
      output: commands === null ? null : { commands },
      gates: gates === null ? null : gatesInStatus(gates),
    };
  }

  /** In the order of the configuration, and then those that it does not have any more. */
  #rulesWith(runs: RunnerStatus["rules"]): RuleInStatus[] {
    const names = new Set(this.#rules.map(({ name }) => name));
    const removed = [...runs].filter(([name]) => !names.has(name));
    const { tallies } = this.reader;
    const countsOf = (name: string): RuleRunsStatus =>
      runs.get(name) ?? { ...nothingYet, events: tallies.get(name) ?? 0 };
    return [
      ...this.#rules.map(({ name, command }) =>
        inStatus(name, countsOf(name), { runs_command: command !== null }),
      ),
      ...removed.map(([name, one]) => inStatus(name, one, { runs_command: true, removed: true })),
    ];
  }

  #listenIn(directory: string | null): void {
    if (directory === this.#directory) return;
    this.#directory = directory;
    this.close();
    if (directory === null)
      return this.#sayWhyNot("XDG_RUNTIME_DIR is not set; set it, or runtime_dir");
    try {
      const path = socketOf(process.pid, directory);
      const answer = async () => JSON.stringify(await this.document());
      this.#socket = new StatusSocket({ path, directory, answer });
      void removeDeadSockets(socketsIn(directory).filter((one) => one !== path));
    } catch (error) {
      this.#sayWhyNot(`${whyNot(error, directory)}; set another runtime_dir`);
    }
  }

  #sayWhyNot(why: string): void {
    if (!this.#options.saysWhyNot) return;
    this.#options.log.info(`No socket for facron status: ${why} under [facron]; SIGUSR2 works`);
  }
}

/** @throws what no system call has given */
function whyNot(error: unknown, directory: string): string {
  const { errno } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return `it cannot be made in ${quoted(directory)}: ${errnoText(Math.abs(errno))}`;
}

const nothingYet = ruleRunsStatus(new RuleStats(), {
  running: 0,
  queued: 0,
  retrying: 0,
  suspended: 0,
});

function inStatus(
  name: string,
  { last, waitedMs, ranMs, ...counts }: RuleRunsStatus,
  kind: Pick<RuleInStatus, "runs_command" | "removed">,
): RuleInStatus {
  return {
    ...{ name, ...kind, ...counts },
    last: last === null ? null : { how: last.how, at: new Date(last.at).toISOString() },
    ...{ waited_ms: waitedMs, ran_ms: ranMs },
  };
}

function totalOf(rules: readonly RuleInStatus[]): StatusDocument["total"] {
  const total = { events: 0, runs: 0, failed: 0, retried: 0, dropped: 0 };
  for (const rule of rules) {
    total.events += rule.events;
    total.runs += rule.runs;
    total.failed += rule.failed;
    total.retried += rule.retried;
    total.dropped += rule.dropped;
  }
  return total;
}
