/** The errors that users meet. Each message says the action, the value, the state and then the cure. */

/** A command line that cannot be obeyed: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** One mistake in a configuration, at its place. */
export interface ConfigProblem {
  /** As the user gave it. */
  readonly file: string;
  /** Both from 1; the column counts characters. 0 if the file as a whole is meant. */
  readonly line: number;
  readonly column: number;
  /** How many characters the caret underlines, at least 1. */
  readonly length: number;
  /** The whole line, for showing. */
  readonly text: string;
  /** One sentence, the cure included, no full stop. */
  readonly message: string;
}

/** A configuration that cannot be used, with everything that is wrong with it: exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** `file:line:column: message`, the line, and a caret under what is meant. */
export function formatProblem(problem: ConfigProblem): string {
  return format(problem, "");
}

/** The same for what is odd, where no log says that it is a warning. */
export function formatWarning(problem: ConfigProblem): string {
  return format(problem, "warning: ");
}

function format(problem: ConfigProblem, severity: string): string {
  if (problem.line === 0) return `${severity}${problem.message}`; // which names the file
  const where = `${problem.file}:${problem.line}:${problem.column}: ${severity}${problem.message}`;
  const characters = Array.from(problem.text);
  const before = characters.slice(0, problem.column - 1);
  const meant = characters.slice(problem.column - 1, problem.column - 1 + problem.length);
  // A terminal shows some characters two columns wide; a tab must stay one to reach the same place.
  const indent = before.map((char) => (char === "\t" ? char : " ".repeat(Bun.stringWidth(char))));
  const caret = "^".repeat(Math.max(Bun.stringWidth(meant.join("")), 1));
  return `${where}\n  ${problem.text}\n  ${indent.join("")}${caret}`;
}

/** Something that cannot be watched: exit code 1 at the start, a log line later. */
export class WatchError extends Error {
  override readonly name = "WatchError";
}

/** A command that cannot be started: a log line. */
export class ActionError extends Error {
  override readonly name = "ActionError";
}
