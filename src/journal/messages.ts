/** What crosses between the main thread and the journal's: plain data only, copied or transferred. */
import type { MessagePort } from "node:worker_threads";
import type { JournalPlace } from "./place.ts";

/** The Worker's data: `port` carries `ToJournal`, and is looked into when `wakeFd` says so. */
export interface JournalThreadData {
  readonly place: JournalPlace;
  readonly port: MessagePort;
  /** An eventfd: written after each message to the journal. */
  readonly wakeFd: number;
}

export type ToJournal =
  /** From now on these rules are in force: answered with "waiting" and then "followed". */
  | { readonly kind: "follow"; readonly rules: readonly FollowedRule[]; readonly plan: number }
  /** Answered with "stored", in order. Indices in the buffer are those of `plan`. */
  | { readonly kind: "add"; readonly plan: number; readonly buffer: ArrayBuffer }
  | RunNews
  /** Answered with "counted". */
  | { readonly kind: "count" }
  /** Write what is left, close the file, answer "closed". */
  | { readonly kind: "close" };

/** A durable rule. */
export interface FollowedRule {
  readonly index: number;
  readonly name: string;
  /** What happens while facron is down is looked for: done entries are kept for a while. */
  readonly catchesUp: boolean;
}

/** What happened while facron was down has to be looked for: since when, and for which rules. */
export interface CatchUpWish {
  /** Microseconds since 1970, in the time of files. */
  readonly since: number;
  /** Indices. */
  readonly rules: readonly number[];
}

/** What has become of runs: all of one task of the main thread's loop. */
export interface RunNews {
  readonly kind: "runs";
  /** Each ticket is followed by the time: microseconds since 1970. */
  readonly started: Float64Array;
  /** Tickets. */
  readonly succeeded: Float64Array;
  readonly gaveUp: readonly GaveUp[];
  /** All that happened before was read, and sent in "add" before this; null: nothing new is known. */
  readonly readUntil: number | null;
}

export interface GaveUp {
  readonly tickets: readonly number[];
  readonly error: string;
  readonly attempts: number;
}

/** Events in the journal. */
export interface JournalCounts {
  /** Not done with: they wait, or run. */
  readonly kept: number;
  /** Those of them for which a run has been started. */
  readonly running: number;
  /** Given up. */
  readonly dead: number;
}

export type FromJournal =
  | { readonly kind: "opened" }
  | { readonly kind: "cannot-open"; readonly text: string }
  /** @param skipped triggers that were in the buffer and need no run: one in the journal stands for them */
  | {
      readonly kind: "stored";
      readonly buffer: ArrayBuffer;
      readonly count: number;
      readonly skipped: number;
    }
  /** Entries from before, or that were put back: a buffer as of a TriggerWriter, tickets filled in. */
  | {
      readonly kind: "waiting";
      readonly plan: number;
      readonly buffer: ArrayBuffer;
      readonly count: number;
    }
  /** Null: it cannot be read, which is said. */
  | { readonly kind: "counted"; readonly counts: JournalCounts | null }
  | { readonly kind: "followed"; readonly catchUp: CatchUpWish | null }
  /** These tickets are to be run no more. */
  | { readonly kind: "dropped"; readonly tickets: readonly number[] }
  | { readonly kind: "log"; readonly level: "info" | "warn" | "error"; readonly text: string }
  | { readonly kind: "closed" };
