/** How a command ended, and how the log says it. */
export type Ending =
  | { readonly kind: "exited"; readonly code: number }
  /** `signal` is "SIGKILL", or "signal 34" for one without a name. */
  | { readonly kind: "killed"; readonly signal: string }
  /** The helper could not become the command, or was not to. */
  | { readonly kind: "not-started"; readonly error: Error }
  /** waitpid(2) failed: the status is lost. */
  | { readonly kind: "unknown"; readonly reason: string };

/** As it follows the name of the program: "exited 0", "was killed by SIGKILL". */
export function endingText(ending: Ending): string {
  switch (ending.kind) {
    case "exited":
      return `exited ${ending.code}`;
    case "killed":
      return `was killed by ${ending.signal}`;
    case "not-started":
      return "was not started";
    case "unknown":
      return `ended, its status is not known (${ending.reason})`;
  }
}
