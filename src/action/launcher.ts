/** From a command with its values to a process: what runs for rules and for gates is started here. */
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { eventEnvironment } from "../rule/event-environment.ts";
import type { Surroundings } from "../rule/policy.ts";
import type { RunAs } from "../rule/rule.ts";
import {
  type Command,
  type Counters,
  type Filling,
  fillCommand,
  fillValue,
} from "../rule/template.ts";
import type { Ending } from "./ending.ts";
import { Run, type RunLimits } from "./run.ts";
import type { Start, StdinSource } from "./spawn.ts";
import type { Started } from "./started.ts";

/** `spawnCommand` with its other options. @throws {ActionError} */
export type Spawn = (start: Start, onExit: (ending: Ending) => void) => Started;

export interface LauncherOptions {
  readonly log: Log;
  readonly spawn: Spawn;
  /** The same for all that facron tables start. */
  readonly counters: Counters;
}

/** One command as it is to be run. */
export interface Launch {
  /** The rule's or the gate's name, for the command, and as the log has it. */
  readonly name: string;
  readonly title: string;
  readonly command: Command;
  readonly filling: Filling;
  /** Those of the run, each once; absent: the filling's. */
  readonly paths?: readonly Uint8Array[] | undefined;
  readonly limits: RunLimits;
  readonly runAs: RunAs | undefined;
  readonly surroundings: Surroundings | undefined;
  /** What it may read; null: /dev/null. */
  readonly stdin: StdinSource | null;
  readonly onOver: (run: Run, ending: Ending) => void;
}

export class Launcher {
  readonly #options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** The words of the command; counters go on by it. */
  argvOf({
    name,
    command,
    filling,
    paths,
  }: Pick<Launch, "name" | "command" | "filling" | "paths">): Uint8Array[] {
    const source = { rule: name, counters: this.#options.counters };
    return fillCommand(command, filling, source, paths);
  }

  /** @returns a run, or why there is none */
  start(launch: Launch): Run | ActionError {
    const { name, title, filling, limits, runAs, surroundings, stdin, onOver } = launch;
    const { log, spawn, counters } = this.#options;
    const source = { rule: name, counters };
    const argv = this.argvOf(launch);
    const run = new Run({ title, limits, program: quoted(argv[0] ?? ""), log, onOver });
    const start: Start = {
      argv,
      variables: eventEnvironment(filling, source),
      runAs: runAs ?? null,
      place: fillValue("watched", filling, source),
      surroundings: surroundings ?? null,
      stdin,
      title,
    };
    try {
      run.begin(spawn(start, (ending) => run.ended(ending)));
      return run;
    } catch (error) {
      if (error instanceof ActionError) return error;
      throw error;
    }
  }
}
