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
