/** Runs of commands that something which happens may have been caused by: what they were for, and when. */
import type { Trigger } from "../reader/trigger.ts";

/** A command that was started. */
export interface BegunRun {
  /** The rule's name. */
  readonly rule: string;
  /** What it was started for, as latin1: with the old paths of renames. */
  readonly paths: readonly string[];
  readonly pid: number;
  /** CLOCK_REALTIME, taken right before it was started: microseconds since 1970. */
  readonly startedAt: number;
  /** From which line on something may be its doing; absent: from that time on. */
  readonly from?: WindowStart | undefined;
  /** Of the judgements of its triggers, all of them. */
  readonly causes: readonly Cause[];
}

/** The last line that was told of what happened before a command was started. */
export interface WindowStart {
  /** Null until the reader has said it: what it tells until then happened before, too. */
  readonly seq: number | null;
}

/** What a run may have been caused by. It may wait for long: the run it speaks of may be forgotten by then. */
export interface Cause {
  readonly run: PastRun | null;
  /** The names of rules in its ancestry; null: a name alone speaks for it, and that decides nothing. */
  readonly chain: ReadonlySet<string> | null;
}

/** A run, and for how long what happens may be its doing. */
export interface PastRun extends Omit<BegunRun, "causes"> {
  /** The runs that may have caused it, as far as they are remembered. */
  causes: readonly PastRun[];
  /** The names of rules in its ancestry, its own included. */
  readonly chain: ReadonlySet<string>;
  /** For `lastNames`. */
  names: readonly string[] | null;
  /** Milliseconds of the injected clock. */
  readonly begunAt: number;
  /** The same; null while its window is open. */
  closedAt: number | null;
  /** What has a greater seq came after its end; null until the reader has said it. */
  untilSeq: number | null;
  isForgotten: boolean;
}

/** How long an ended run counts as a cause: the breaker looks back as far. */
export const rememberedMs = 10_000;
const forgetEveryMs = 500;
/** So many that ended are remembered: some hundred bytes each. With more than that, so many are let go at once. */
const closedMax = 5_000;
const forgetAtOnce = 500;
/** Of commands that ended: something that they left behind may do something much later. */
const chainsMax = 100_000;
/** A batch may have thousands. */
const namesMax = 16;
/** Chains that are the same share one set. */
const setsMax = 1_000;
const recentMax = 16;
/** Of one path: the last runs, and those that run. */
const runsPerPathMax = 8;
/** A batch may have thousands of triggers. */
const causesMax = 32;

export class RunHistory {
  readonly #now: () => number;
  readonly #byPath = new Map<string, PastRun[]>();
  readonly #open = new Set<PastRun>();
  /** The oldest first. */
  readonly #closed: PastRun[] = [];
  /** A run that is forgotten leaves its chain. The oldest first. */
  readonly #byPid = new Map<number, PastRun | ReadonlySet<string>>();
  readonly #sets = new Map<string, ReadonlySet<string>>();
  #keptMs = rememberedMs;
  /** Of the injected clock. */
  #forgetAt = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns for `close` */
  begin(run: BegunRun): PastRun {
    this.#forgetOld();
    const { rule, paths, pid, startedAt, from, causes } = run;
    const past: PastRun = {
      rule,
      paths,
      pid,
      startedAt,
      from,
      causes: causes.length === 0 ? noRuns : this.#remembered(causes),
      chain: this.#chainOf(rule, causes),
      names: null,
      begunAt: this.#now(),
      closedAt: null,
      untilSeq: null,
      isForgotten: false,
    };
    this.#open.add(past);
    for (const path of paths) this.#addTo(path, past);
    this.#byPid.delete(pid); // of who had the number before
    this.#byPid.set(pid, past);
    return past;
  }

  /** What is told may be so old: runs that ended are remembered for as long. */
  keepFor(ms: number): void {
    this.#keptMs = Math.max(this.#keptMs, ms);
  }

  /** What is told after this line came after its end. */
  close(run: PastRun, untilSeq: number): void {
    if (run.closedAt !== null) return;
    run.untilSeq = untilSeq;
    run.closedAt = this.#now();
    this.#open.delete(run);
    this.#closed.push(run);
    this.#forgetOld();
  }

  /** The rules in the ancestry of the command with this pid; null: it is forgotten, or none of ours. */
  chainOf(pid: number): ReadonlySet<string> | null {
    const known = this.#byPid.get(pid) ?? null;
    return known !== null && "chain" in known ? known.chain : known;
  }

  /** The command with this pid, if it ended a short time ago at most. */
  ofPid(pid: number): PastRun | null {
    const known = this.#byPid.get(pid);
    return known !== undefined && "chain" in known ? known : null;
  }

  /** Runs for this path. */
  on(path: string): readonly PastRun[] {
    return this.#byPath.get(path) ?? noRuns;
  }

  /** Runs for other paths that may have something to do with it, by their names. */
  near(path: string): PastRun[] {
    const name = nameOf(path);
    const near: PastRun[] = [];
    for (const run of this.#open) if (isRelated(run, name)) near.push(run);
    for (const run of this.#closed.slice(-recentMax)) if (isRelated(run, name)) near.push(run);
    return near;
  }

  #remembered(causes: readonly Cause[]): PastRun[] {
    const runs = new Set(causes.flatMap(({ run }) => run ?? []));
    return [...runs].filter(({ isForgotten }) => !isForgotten).slice(-causesMax);
  }

  #chainOf(rule: string, causes: readonly Cause[]): ReadonlySet<string> {
    const alone = causes.length === 0 ? this.#sets.get(rule) : undefined;
    if (alone !== undefined) return alone;
    const names = new Set([rule]);
    for (const { chain } of causes) for (const name of chain ?? []) names.add(name);
    const key = [...names].sort().join("\0");
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    if (this.#sets.size >= setsMax) this.#sets.clear();
    this.#sets.set(key, names);
    return names;
  }

  #addTo(path: string, run: PastRun): void {
    const runs = this.#byPath.get(path);
    if (runs === undefined) return void this.#byPath.set(path, [run]);
    if (runs.at(-1) === run) return;
    runs.push(run);
    if (runs.length <= runsPerPathMax) return;
    const oldest = runs.findIndex(({ closedAt }) => closedAt !== null);
    if (oldest >= 0) runs.splice(oldest, 1);
  }

  #forgetOld(): void {
    const now = this.#now();
    const excess = this.#closed.length - closedMax;
    const isFull = excess >= forgetAtOnce || this.#byPid.size > chainsMax;
    if (now < this.#forgetAt && !isFull) return;
    this.#forgetAt = now + forgetEveryMs;
    const before = now - this.#keptMs;
    const kept = this.#closed.findIndex((run, at) => run.closedAt! >= before && at >= excess);
    const forgotten = kept < 0 ? this.#closed.length : kept;
    for (const run of this.#closed.splice(0, forgotten)) this.#forget(run);
    for (const pid of this.#byPid.keys()) {
      if (this.#byPid.size <= chainsMax) break;
      this.#byPid.delete(pid);
    }
  }

  #forget(run: PastRun): void {
    run.isForgotten = true;
    if (this.#byPid.get(run.pid) === run) this.#byPid.set(run.pid, run.chain);
    for (const path of run.paths) {
      const runs = this.#byPath.get(path) ?? [];
      const at = runs.indexOf(run);
      if (at >= 0) runs.splice(at, 1);
      if (runs.length === 0) this.#byPath.delete(path);
    }
    run.causes = noRuns; // else each would keep all before it
  }
}

const noRuns: readonly PastRun[] = [];

/** By the record's time and line: since the run's start, and not after what was queued at its end. */
export function isInWindow(run: PastRun, { time, seq }: Trigger): boolean {
  const { startedAt, from, untilSeq } = run;
  const isAfter = from === undefined ? time >= startedAt : from.seq !== null && seq > from.seq;
  return isAfter && (untilSeq === null || seq <= untilSeq);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Last components of the first of its paths: looked for when they are asked for, which is seldom. */
export function lastNames(run: PastRun): readonly string[] {
  return (run.names ??= run.paths.slice(0, namesMax).map(nameOf));
}

function isRelated(run: PastRun, name: string): boolean {
  const names = lastNames(run);
  for (let i = 0; i < names.length; i++) {
    const one = names[i]!;
    if (one === name || isPartOf(one, name) || isPartOf(name, one)) return true;
  }
  return false;
}

/** "f" of "f.bak" and ".f.swp", but not of "fx": as a whole word of a longer name. */
export function isPartOf(part: string, whole: string): boolean {
  if (part.length === 0 || part.length >= whole.length) return false;
  for (let at = whole.indexOf(part); at >= 0; at = whole.indexOf(part, at + 1)) {
    if (!isWordCharacter(whole, at - 1) && !isWordCharacter(whole, at + part.length)) return true;
  }
  return false;
}

/** Bytes of other scripts than ours count as letters. */
function isWordCharacter(text: string, at: number): boolean {
  const code = text.charCodeAt(at); // NaN beyond the ends
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code >= 0x80;
}
