/** What of its own facron has to open, and whoever looks after it: gates there are worth a warning. */
import { resolve } from "node:path";
import type { OwnPath } from "../config/inspect-gates.ts";
import type { Configuration } from "../config/load.ts";
import { defaultStateDir } from "../config/source.ts";
import { runtimeDirectory } from "../daemon/runtime-directory.ts";
import type { Surroundings } from "../rule/policy.ts";

/** @param cwd where the names of files start */
export function ownPaths(configuration: Configuration, cwd: string): OwnPath[] {
  const { files, settings } = configuration;
  const runtimeDir = runtimeDirectory(settings.runtimeDir);
  return [
    { path: process.execPath, what: "facron itself" },
    ...files.map(({ file }) => ({ path: resolve(cwd, file), what: "its configuration" })),
    ...journals(configuration),
    ...(runtimeDir === null
      ? []
      : [{ path: runtimeDir, what: "where facron status looks", isDirectory: true }]),
    ...outputFiles(configuration).map((path) => ({ path, what: "which its commands write to" })),
  ];
}

function journals({ rules, settings }: Configuration): OwnPath[] {
  if (!rules.some(({ policy }) => policy?.durable === true)) return [];
  const directory = settings.stateDir ?? defaultStateDir;
  return [{ path: `${directory}/facron.journal`, what: "one of its journals" }];
}

function outputFiles({ rules, gates }: Configuration): string[] {
  const all: (Surroundings | undefined)[] = [
    ...rules.map(({ surroundings }) => surroundings),
    ...gates.map(({ decision }) => (decision.kind === "ask" ? decision.surroundings : undefined)),
  ];
  const paths = all.flatMap((one) => (one?.output?.kind === "file" ? [one.output.path] : []));
  return [...new Set(paths)];
}
