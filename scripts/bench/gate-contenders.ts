/** Who decides in the gate section: nobody, the C listeners, facron. */
import { type Contender, writeConfig } from "./contender.ts";
import type { Workspace } from "./workspace.ts";

/** Ends the names of the files that are denied. */
export const deniedSuffix = ".bad";

export interface GateContender extends Contender {
  /** What the openers hold it to. */
  readonly expects: "none" | "deny";
  /** What openers are started with, so that it sees them. */
  readonly opensWithin?: (pid: number) => string[];
  /** Each file is opened once before: what is measured is the answers that it keeps. */
  readonly isAskedFirst?: boolean;
}

export const noGate: GateContender = {
  name: "no gate",
  role: "nothing",
  backend: "fanotify",
  program: "bench-gate",
  expects: "none",
  command: () => ({ argv: ["true"] }),
};

/** What any listener costs. */
export const alwaysAllow: GateContender = {
  name: "C floor, only ALLOW",
  role: "floor",
  backend: "fanotify",
  program: "bench-gate",
  expects: "none",
  command: ({ workspace, directory }) => ({
    argv: [workspace.gateFloor, "allow", directory],
    readyText: "ready",
  }),
};

export const bySuffix: GateContender = {
  ...alwaysAllow,
  name: "C, by the path's end",
  expects: "deny",
  command: ({ workspace, directory }) => ({
    argv: [workspace.gateFloor, "deny-suffix", directory, deniedSuffix],
    readyText: "ready",
  }),
};

export function facronDeny(log: "none" | "deny" | "all"): GateContender {
  return {
    ...facron,
    name: `facron deny, --gate-log=${log}`,
    command: ({ workspace, directory }) => ({
      argv: [
        ...facronWithGate(workspace, directory, [
          `include = ["*${deniedSuffix}"]`,
          'verdict = "deny"',
        ]),
        `--gate-log=${log}`,
      ],
      readyText: "facron: ready",
    }),
  };
}

const facron = {
  role: "facron",
  backend: "fanotify",
  program: "facron",
  expects: "deny",
} as const;

/** A shell decides about each file once. */
export const facronAsk: GateContender = {
  ...facron,
  name: "facron ask, all cached, --gate-log=none",
  isAskedFirst: true,
  command: ({ workspace, directory }) => {
    const script = `case "$1" in *${deniedSuffix}) exit 1;; esac`;
    const ask = `ask = ["/bin/sh", "-c", '${script}', "sh", "{path}"]`;
    return {
      argv: [
        ...facronWithGate(workspace, directory, [ask, 'timeout = "10s"', 'cache = "10h"']),
        "--gate-log=none",
      ],
      readyText: "facron: ready",
    };
  },
};

function facronWithGate(
  workspace: Workspace,
  directory: string,
  keys: readonly string[],
): string[] {
  const text = [
    ...["[[gate]]", 'name = "bench"', `watch = ${JSON.stringify(directory)}`, "recursive = true"],
    ...['on = "open_perm"', ...keys, ""],
  ].join("\n");
  return [workspace.facron ?? "facron", "--config", writeConfig(workspace, "facron.toml", text)];
}
