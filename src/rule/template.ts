/** A command of a rule: argument templates, filled from one trigger, byte for byte. */

/** What a template can hold besides fixed bytes. */
export type ValueName =
  | "path"
  | "dir"
  | "name"
  | "pid"
  /** The counter that all facron tables share, raised by one, lowered by one, or as it stands. */
  | "counter_up"
  | "counter_down"
  | "counter";

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
  /** 0: not known. */
  readonly pid: number;
}

/**
 * The words of the command for one trigger, evaluated from left to right.
 *
 * A word may be a view of the template or of `filling.path`: to be read, and not to be kept for
 * longer than these are.
 */
export function fillCommand(command: Command, filling: Filling, counters: Counters): Uint8Array[] {
  return command.words.map((word) => fillWord(word, filling, counters));
}

function fillWord(word: Word, filling: Filling, counters: Counters): Uint8Array {
  const pieces = word.map((part) => fillPart(part, filling, counters));
  return pieces.length === 1 ? pieces[0]! : join(pieces);
}

function fillPart(part: Part, filling: Filling, counters: Counters): Uint8Array {
  if ("literal" in part) return part.literal;
  switch (part.value) {
    case "path":
      return filling.path;
    case "dir":
      return directoryOf(filling.path);
    case "name":
      return filling.path.subarray(filling.path.lastIndexOf(slash) + 1);
    case "pid":
      return decimal(filling.pid);
    case "counter_up":
      return decimal(counters.raise());
    case "counter_down":
      return decimal(counters.lower());
    case "counter":
      return decimal(counters.current);
  }
}

const slash = 0x2f;
const encoder = new TextEncoder();
const workingDirectory = encoder.encode(".");

/** What stands before the last slash, as facron 1.1 has it: "." without one, "/" for "/x". */
function directoryOf(path: Uint8Array): Uint8Array {
  const end = path.lastIndexOf(slash);
  return end < 0 ? workingDirectory : path.subarray(0, Math.max(end, 1));
}

function decimal(value: number): Uint8Array {
  return encoder.encode(String(value));
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
