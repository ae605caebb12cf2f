/** A command of a rule: argument templates, filled from one trigger, byte for byte. */
import { utf8 } from "../../ffi/bytes.ts";
import { namesOf } from "../event.ts";
import type { ActorFacts } from "./actor.ts";
import { inotifyMask, inotifyNames } from "./inotify-words.ts";

/** What a template can hold besides fixed bytes. */
export type ValueName =
  | "path"
  | "dir"
  | "name"
  /** The name without its last extension, and that extension without its dot. */
  | "stem"
  | "ext"
  /** The old path of a rename; empty for everything else. */
  | "from"
  /** Joined by commas. */
  | "events"
  /** 0 if it is not known. */
  | "pid"
  /** Who did it, empty if it is not known: as `ActorFacts`. */
  | "comm"
  | "exe"
  | "uid"
  | "rule"
  /** Of the event's JSON line. */
  | "seq"
  /** As incron has them: the directory that reports and the name in it, or the path itself and nothing. */
  | "watched"
  | "entry"
  /** inotify's names, joined by commas, and its bits in decimal. */
  | "in_events"
  | "in_mask"
  /** The counter that all facron tables share, raised by one, lowered by one, or as it stands. */
  | "counter_up"
  | "counter_down"
  | "counter"
  /** All paths of the run: a word of its own becomes one for each. */
  | "paths"
  /** Which part of a file a process is about to reach, in bytes: of gates on `pre_access`; empty else. */
  | "offset"
  | "count"
  /** What went wrong, for what runs then; empty else. */
  | "error";

export type Part = { readonly literal: Uint8Array } | { readonly value: ValueName };

/** One argument: its parts one after the other. */
export type Word = readonly Part[];

/** Word 0 is the program: an absolute path, or one relative to facron's working directory. */
export interface Command {
  readonly words: readonly Word[];
}

/** What a command can say about the event that started it. */
export interface Filling {
  readonly path: Uint8Array;
  /** Empty unless it is a rename. */
  readonly from: Uint8Array;
  /** `eventBits` */
  readonly events: number;
  /** 0: not known. */
  readonly pid: number;
  /** Null or absent: not asked, or not known. */
  readonly actor?: ActorFacts | null;
  readonly seq: number;
  /** It happened to the watched path itself, and not to something in it. */
  readonly isSelf: boolean;
  readonly isDirectory: boolean;
  /** Events that the run is for; absent: 1. */
  readonly count?: number;
  /** For the command that runs when another has failed. */
  readonly failure?: Failure;
  /** For the command that decides, in place of `events`. */
  readonly question?: Question;
}

/** What a gate asks its command. */
export interface Question {
  readonly gate: string;
  /** `gateNamesOf` */
  readonly events: readonly string[];
  /** Of `pre_access`: which part of the file, in bytes; null else. */
  readonly range: { readonly offset: number; readonly count: number } | null;
}

export interface Failure {
  /** One sentence. */
  readonly error: string;
  /** Runs that failed, the first one included. */
  readonly attempts: number;
}

/**
 * The words of the command for one run, evaluated from left to right.
 *
 * A word may be a view of the template or of `filling.path`: to be read, and not to be kept for
 * longer than these are.
 *
 * @param paths those of the run, each once; absent: `filling.path`
 */
export function fillCommand(
  command: Command,
  filling: Filling,
  source: Source,
  paths?: readonly Uint8Array[],
): Uint8Array[] {
  if (paths === undefined) return command.words.map((word) => fillWord(word, filling, source));
  return command.words.flatMap((word) =>
    isPaths(word) ? paths : [fillWord(word, filling, source)],
  );
}

function isPaths(word: Word): boolean {
  const [part] = word;
  return word.length === 1 && "value" in part! && part.value === "paths";
}

/** Whether it takes all paths of its run, and not only one. */
export function takesPaths({ words }: Command): boolean {
  return words.some(isPaths);
}

/** What the values come from besides the event. */
export interface Source {
  /** The rule's name. */
  readonly rule: string;
  readonly counters: Counters;
}

function fillWord(word: Word, filling: Filling, source: Source): Uint8Array {
  const pieces = word.map((part) => fillPart(part, filling, source));
  return pieces.length === 1 ? pieces[0]! : join(pieces);
}

function fillPart(part: Part, filling: Filling, source: Source): Uint8Array {
  return "literal" in part ? part.literal : fillValue(part.value, filling, source);
}

/** One value of an event; see `fillCommand`. */
export function fillValue(name: ValueName, filling: Filling, source: Source): Uint8Array {
  return values[name](filling, source);
}

const values: Readonly<Record<ValueName, (filling: Filling, source: Source) => Uint8Array>> = {
  path: ({ path }) => path,
  dir: ({ path }) => directoryOf(path),
  name: ({ path }) => nameOf(path),
  stem: ({ path }) => nameOf(path).subarray(0, extensionStart(nameOf(path))),
  ext: ({ path }) => nameOf(path).subarray(extensionStart(nameOf(path)) + 1),
  from: ({ from }) => from,
  events: ({ events, question }) =>
    question === undefined ? eventWords(events) : utf8(question.events.join(",")),
  pid: ({ pid }) => decimal(pid),
  comm: ({ actor }) => actor?.comm ?? nothing,
  exe: ({ actor }) => actor?.exe ?? nothing,
  uid: ({ actor }) => decimalOrNothing(actor?.uid ?? null),
  rule: (_, { rule }) => utf8(rule),
  seq: ({ seq }) => decimal(seq),
  watched: ({ path, isSelf }) => (isSelf ? path : directoryOf(path)),
  entry: ({ path, isSelf }) => (isSelf ? nothing : nameOf(path)),
  in_events: (filling) => utf8(inotifyNames(filling)),
  in_mask: (filling) => decimal(inotifyMask(filling)),
  counter_up: (_, { counters }) => decimal(counters.raise()),
  counter_down: (_, { counters }) => decimal(counters.lower()),
  counter: (_, { counters }) => decimal(counters.current),
  paths: ({ path }) => path,
  offset: ({ question }) => decimalOrNothing(question?.range?.offset ?? null),
  count: ({ question }) => decimalOrNothing(question?.range?.count ?? null),
  error: ({ failure }) => (failure === undefined ? nothing : utf8(failure.error)),
};

const knownEventWords = new Map<number, Uint8Array>();
/** Few combinations ever happen. */
const eventWordsMax = 100;

/** Made once for each combination: every command is told of its events. */
function eventWords(events: number): Uint8Array {
  const known = knownEventWords.get(events);
  if (known !== undefined) return known;
  const words = utf8(namesOf(events).join(","));
  if (knownEventWords.size < eventWordsMax) knownEventWords.set(events, words);
  return words;
}

/** Those that a rule has to ask for. */
export const actorValues: readonly ValueName[] = ["comm", "exe", "uid"];

/** Of the part of a file that a gate is asked about. */
export const rangeValues: readonly ValueName[] = ["offset", "count"];

/** What the command of a gate can hold. */
export const gateValues: readonly ValueName[] = [
  ...(["path", "dir", "name", "stem", "ext", "events", "pid"] as const),
  ...actorValues,
  "rule",
  ...rangeValues,
];

const everyValue = Object.keys(values) as ValueName[];

/** What the command of a rule can hold. */
export const valueNames = everyValue.filter((name) => !rangeValues.includes(name));

const slash = 0x2f;
const dot = 0x2e;
const nothing = new Uint8Array(0);
const workingDirectory = utf8(".");

function nameOf(path: Uint8Array): Uint8Array {
  return path.subarray(path.lastIndexOf(slash) + 1);
}

/** The place of the last dot, or the end if there is no extension: ".profile" has none. */
function extensionStart(name: Uint8Array): number {
  const at = name.lastIndexOf(dot);
  return at > 0 ? at : name.length;
}

/** What stands before the last slash, as facron 1.1 has it: "." without one, "/" for "/x". */
function directoryOf(path: Uint8Array): Uint8Array {
  const end = path.lastIndexOf(slash);
  return end < 0 ? workingDirectory : path.subarray(0, Math.max(end, 1));
}

function decimal(value: number): Uint8Array {
  return utf8(String(value));
}

function decimalOrNothing(value: number | null): Uint8Array {
  return value === null ? nothing : decimal(value);
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let end = 0;
  for (const piece of pieces) {
    joined.set(piece, end);
    end += piece.length;
  }
  return joined;
}

/** The counter that all facron tables share: unsigned 32 bits, as facron 1.1 has it, from 0. */
export class Counters {
  #value = 0;

  get current(): number {
    return this.#value;
  }

  /** @returns the new value; 0 after 4,294,967,295 */
  raise(): number {
    this.#value = (this.#value + 1) >>> 0;
    return this.#value;
  }

  /** @returns the new value; 4,294,967,295 after 0 */
  lower(): number {
    this.#value = (this.#value - 1) >>> 0;
    return this.#value;
  }
}
