/** Who decides in the gate section: nobody, the C listeners, facron. */
import type { Command } from "./consumer.ts";
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
  /** Which decisions come as lines on stdout; absent: none. */
  readonly tells?: "deny" | "all";
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

const facron = {
  role: "facron",
  backend: "fanotify",
  program: "facron",
  expects: "deny",
} as const;

export type GateLog = "none" | "deny" | "all";

export function facronDeny(log: GateLog): GateContender {
  return {
    ...facron,
    name: `facron deny, gate_log ${log}`,
    command: ({ workspace, directory }) => {
      const keys = [`include = ["*${deniedSuffix}"]`, 'verdict = "deny"'];
      return facronWithGate(workspace, directory, { log, gates: [keys] });
    },
    ...(log === "none" ? {} : { tells: log }),
  };
}

/** Each open is decided by a gate, and told. */
export const facronTellsAll: GateContender = {
  ...facronDeny("all"),
  name: "facron deny, else allow, gate_log all",
  command: ({ workspace, directory }) => {
    const deny = [`include = ["*${deniedSuffix}"]`, 'verdict = "deny"'];
    return facronWithGate(workspace, directory, {
      log: "all",
      gates: [deny, ['verdict = "allow"']],
    });
  },
};

/** A shell decides about each file once. */
export const facronAsk: GateContender = {
  ...facron,
  name: "facron ask, all cached, gate_log none",
  isAskedFirst: true,
  command: ({ workspace, directory }) => {
    const script = `case "$1" in *${deniedSuffix}) exit 1;; esac`;
    const ask = `ask = ["/bin/sh", "-c", '${script}', "sh", "{path}"]`;
    const keys = [ask, 'timeout = "10s"', 'cache = "10h"'];
    return facronWithGate(workspace, directory, { log: "none", gates: [keys] });
  },
};

/** @param gates what is special about each */
function facronWithGate(
  workspace: Workspace,
  directory: string,
  { log, gates }: { log: GateLog; gates: readonly (readonly string[])[] },
): Command {
  const common = [`watch = ${JSON.stringify(directory)}`, "recursive = true", 'on = "open_perm"'];
  const tables = gates.map((keys, at) => ["[[gate]]", `name = "gate ${at}"`, ...common, ...keys]);
  const text = ["[facron]", `gate_log = "${log}"`, ...tables.flat(), ""].join("\n");
  const config = writeConfig(workspace, "facron.toml", text);
  return { argv: [workspace.facron ?? "facron", "--config", config], readyText: "facron: ready" };
}
