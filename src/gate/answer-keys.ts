/** Under which keys who asks the same waits for one run, and answers are kept. */
import { latin1 } from "../../ffi/bytes.ts";
import { type Writers, writersOf } from "../../ffi/lease.ts";
import { processStat } from "../../ffi/proc-stat.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { gateBits, type ToldOfAsker, type Verdict } from "../rule/gate.ts";
import type { FileState } from "./file-state.ts";
import type { Asked } from "./pending.ts";

export type Keys = Pick<Asked, "key" | "answerKey">;

/** Of what cannot be told from other files: nobody joins, and nothing is kept. */
export const noKeys: Keys = { key: "", answerKey: "" };

/**
 * A file that changed a moment ago may change again without a new time of change: an answer about it holds
 * for who waits now, and no longer. Nanoseconds: two ticks of the slowest clock (CONFIG_HZ=100).
 */
const settledNs = 20e6;

/** The same where times are coarse, FAT's two seconds at most, or may be those of a server. */
const settledCoarselyNs = 2.02e9;

/**
 * Where a file may change without a new time of change (Linux 6.18): a map can be written that was read
 * before. Everywhere else the first write to a map has a time of its own.
 */
const traceless = new Set(["tmpfs", "devtmpfs", "ramfs", "rootfs", "hugetlbfs"]);

/** Who has made a map is a writer until it is gone; but of overlayfs nobody can tell whether one is left. */
const hidesMaps = new Set(["overlay"]);

/** Whether somebody may write to a file, and leave no trace of it. @param type as mount(8) has it; null: not known */
export function isTraceless(type: string | null): boolean {
  return type !== null && traceless.has(type);
}

/**
 * Whether an answer about a file can be kept, should it not change until that comes: a map that is written
 * already can be written on without a trace, until the kernel has written it back.
 *
 * @param type of its filesystem, as mount(8) has it; null: not known
 * @param fd open for reading only
 */
export function isKeepable(type: string | null, fd: number): boolean {
  return type !== null && !hidesMaps.has(type) && writersOf(fd) !== "some";
}

/**
 * Others after each change of the file, and for each program. What fills a file changes it, and fills it for
 * all: who comes meanwhile waits for that run, and when it is over the file is as it has to be.
 *
 * @param gate its index
 * @param rewrites another number once somebody may have written without a trace
 * @param told what the command is told of who asks
 */
export function keysOf(
  { gate, events, pid, rewrites }: KeyQuestion,
  told: readonly ToldOfAsker[],
  state: FileState,
  actor: () => ActorFacts,
): Keys {
  const { key } = state;
  if (fills(events)) return { key: `${gate} ${state.inode}`, answerKey: `${gate} ${key}` };
  const known = actor();
  const asker = told.map((name) => tellings[name](known, pid));
  const one = `${gate} ${events} ${key} ${[rewrites, textOf(known.exe), ...asker].join("\0")}`;
  return { key: one, answerKey: one };
}

export interface KeyQuestion {
  readonly gate: number;
  readonly events: number;
  readonly pid: number;
  readonly rewrites: number;
}

const tellings: Readonly<Record<ToldOfAsker, (actor: ActorFacts, pid: number) => string>> = {
  comm: ({ comm }) => textOf(comm),
  uid: ({ uid }) => String(uid),
  pid: (_, pid) => `${pid} ${processStat(pid)?.startTicks}`, // numbers are used again
};

function textOf(name: Uint8Array | null): string {
  return name === null ? "" : latin1(name);
}

/**
 * The key for an answer that has come: null if the file has changed since the question, or may change
 * unnoticed.
 *
 * @param state of the file by now
 * @param writers of it, by now
 * @param now nanoseconds since 1970
 */
export function keyAfter(
  { answerKey, waiting }: Pick<Asked, "answerKey" | "waiting">,
  answer: Verdict,
  { key, changed, hasFineTimes }: FileState,
  writers: Writers,
  now: number,
): string | null {
  if (answerKey === "") return null;
  // Changes that follow a look have a time of their own, where there is pre_access (Linux 6.13, FS_MGTIME).
  if (fills(waiting[0]!.events))
    return answer === "deny" ? null : `${answerKey.slice(0, answerKey.indexOf(" "))} ${key}`;
  if (writers === "some") return null;
  const settled = hasFineTimes && writers === "none" ? settledNs : settledCoarselyNs;
  const [gate, events] = answerKey.split(" ", 2);
  const isUnchanged = answerKey.startsWith(`${gate} ${events} ${key} `);
  return now - changed > settled && isUnchanged ? answerKey : null;
}

/** Whether the command is to make the file what it is read as: one that it denies could not be filled, this time. */
export function fills(events: number): boolean {
  return events === gateBits.pre_access;
}
