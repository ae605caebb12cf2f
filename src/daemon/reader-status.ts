/** What the reader says of itself; it may be waiting for a filesystem that never answers, and we may not. */
import { lossyText } from "../../ffi/bytes.ts";
import type { Lookout } from "../reader/lookout.ts";
import type { ReaderStatus, WatchReport } from "../reader/plan.ts";
import { Question } from "./question.ts";
import type { BackendInStatus, ReaderInStatus } from "./status-document.ts";

export interface ReaderAnswersOptions {
  /** Send the question. */
  readonly ask: () => void;
  readonly lookout: Pick<Lookout, "step" | "path">;
}

export class ReaderAnswers {
  readonly #options: ReaderAnswersOptions;
  /** It answers between two reads, or two slices of a walk. */
  readonly #question: Question;
  #last: { readonly status: ReaderStatus; readonly at: Date } | null = null;
  #isOver = false;

  constructor(options: ReaderAnswersOptions) {
    this.#options = options;
    this.#question = new Question(options.ask);
  }

  take(status: ReaderStatus): void {
    this.#last = { status, at: new Date() };
    this.#question.answered();
  }

  /** It answers no more. */
  end(): void {
    this.#isOver = true;
    this.#question.end();
  }

  /** How often rules without a command were met, by their names, when it answered last. */
  get tallies(): ReadonlyMap<string, number> {
    return new Map(this.#last?.status.tallies);
  }

  /** Takes half a second at most. */
  async now(): Promise<ReaderInStatus> {
    if (this.#isOver) return this.#inStatus("ended");
    if (!(await this.#question.isAnswered())) return this.#inStatus("no answer");
    if (this.#isOver) return this.#inStatus("ended");
    return this.#inStatus(this.#last!.status.isHeldBack ? "held back" : "reading");
  }

  #inStatus(state: ReaderInStatus["state"]): ReaderInStatus {
    const { step, path } = this.#options.lookout;
    const isAsking = state === "no answer" && step % 2 !== 0;
    const report = this.#last?.status.report;
    return {
      state,
      waits_for: isAsking ? lossyText(path) : null,
      as_of: this.#last?.at.toISOString() ?? null,
      backends: this.#last === null ? [] : backendsOf(this.#last.status),
      unwatched: report?.unwatched ?? 0,
      missing: report?.waiting ?? 0,
    };
  }
}

/** Those that are used, or have been. */
function backendsOf({ report, counts }: ReaderStatus): BackendInStatus[] {
  const ofKernel = (["fanotify", "inotify"] as const).map((name) => ({
    ...{ name, paths: report.watched[name], marks: report.marks[name] },
    ...{ events: counts[name].records, overflows: counts[name].overflows },
  }));
  const used = ofKernel.filter(({ paths, marks, events }) => paths + marks + events > 0);
  return [...used, ...polled(report)];
}

function polled({ polled: { paths, entries } }: WatchReport): BackendInStatus[] {
  return paths === 0 ? [] : [{ name: "poll", paths, marks: entries }];
}
