/** A configuration's text on its way into a dialect. */
import type { ConfigProblem } from "../errors.ts";

export interface Source {
  /** As the user gave it: problems name it, and rules are named after it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Absolute; relative paths in the text start here. */
  readonly cwd: string;
  /** Takes what is odd but does not stop anything. */
  readonly warn?: (warning: ConfigProblem) => void;
}
