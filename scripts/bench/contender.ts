/** A contender: a program that is measured, how it is asked, and why it can't be measured here. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./consumer.ts";
import type { Workspace } from "./workspace.ts";

/** "nothing" runs: what all of them are beside. */
export type Role = "facron" | "peer" | "floor" | "nothing";

export type Backend = "inotify" | "fanotify";

/** What a contender is asked to do. */
export interface Task {
  readonly workspace: Workspace;
  readonly directory: string;
  /** `cycle`: open, modify and close_write. */
  readonly events: "cycle" | "close_write";
  /** For those that run commands: the FIFO that the stamp program writes to. */
  readonly fifo?: string;
}

export interface Contender {
  readonly name: string;
  readonly role: Role;
  readonly backend: Backend;
  readonly program: string;
  /** The Debian package that has it. */
  readonly package?: string;
  /** It watches a whole mount: without a mount of our own it would see everything. */
  readonly wholeMount?: boolean;
  /** What has to be done before it can be asked, each time. @throws {Error} why it can't be measured */
  readonly prepare?: (workspace: Workspace) => Promise<void>;
  command(task: Task): Command;
}

/** Why this contender can't be measured here, or undefined. */
export function obstacle(contender: Contender, workspace: Workspace): string | undefined {
  if (contender.role === "facron" && workspace.facron === undefined) {
    return "not built: bun run build";
  }
  if (contender.role === "peer" && Bun.which(contender.program) === null) {
    return `not installed: apt-get install ${contender.package}`;
  }
  if (contender.backend === "fanotify" && process.getuid?.() !== 0) return "needs root";
  if (contender.wholeMount === true && !workspace.ownMount) return "needs a mount of its own";
  return undefined;
}

let configs = 0;

/** Write a configuration file, alone in a directory of its own. */
export function writeConfig(workspace: Workspace, name: string, text: string): string {
  configs += 1;
  const directory = join(workspace.scratch, `config-${configs}`);
  mkdirSync(directory);
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}
