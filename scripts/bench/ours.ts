/** facron and the C floor as contenders: the same lines and the same commands of both. */
import type { Command } from "./consumer.ts";
import { type Backend, type Contender, writeConfig } from "./contender.ts";
import type { Workspace } from "./workspace.ts";

const facron = { role: "facron", program: "facron" } as const;
const floor = { role: "floor", program: "bench-floor" } as const;

/** At most so many commands at once: facron's default, given to the floor too. */
const commandsAtOnce = 16;

/** facron as `facron watch`: a line per event. */
export function facronStream(backend: Backend): Contender {
  return {
    ...facron,
    name: `facron ${backend}`,
    backend,
    command: ({ workspace, directory, events }) => ({
      argv: [
        ...[workspace.facron ?? "facron", "watch", "--backend", backend],
        ...["-e", events === "cycle" ? "open,modify,close_write" : "close_write", directory],
      ],
      readyText: "facron: ready",
    }),
  };
}

/** The same, asking for the whole filesystem of a recursive path. */
export function facronFilesystem(): Contender {
  const plain = facronStream("fanotify");
  return {
    ...plain,
    name: `${plain.name}, --scope filesystem`,
    command: (task) => {
      const { argv, ...rest } = plain.command(task);
      return { argv: [...argv.slice(0, -1), "--scope", "filesystem", argv.at(-1)!], ...rest };
    },
  };
}

/** The same with who did it in each line. */
export function facronActors(): Contender {
  const plain = facronStream("fanotify");
  return {
    ...plain,
    name: `${plain.name}, --actor`,
    command: (task) => {
      const { argv, ...rest } = plain.command(task);
      return { argv: [...argv, "--actor"], ...rest };
    },
  };
}

/** facron with a table of one line; without a FIFO the line has no command and only emits. */
export function facronTable(backend: Backend): Contender {
  return {
    ...facron,
    name: `facron ${backend}`,
    backend,
    command: ({ workspace, directory, fifo }) => {
      const line = [directory, tableMask(backend)];
      if (fifo !== undefined) line.push(workspace.stamp, fifo, "$$");
      return facronWithTable(workspace, [line]);
    },
  };
}

/** The mask that asks for the close_write of a directory's entries. */
export function tableMask(backend: Backend): string {
  return backend === "inotify" ? "IN_CLOSE_WRITE" : "FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD";
}

/** `facron --config` with a table of these lines. */
export function facronWithTable(
  workspace: Workspace,
  lines: readonly (readonly string[])[],
): Command {
  const text = lines.map((line) => `${line.join(" ")}\n`).join("");
  const config = writeConfig(workspace, "facron.conf", text);
  return {
    argv: [workspace.facron ?? "facron", "--config", config],
    readyText: "facron: ready",
  };
}

export const inotifyFloor: Contender = {
  ...floor,
  name: "C floor inotify",
  backend: "inotify",
  command: ({ workspace, directory, events }) => ({
    // IN_OPEN | IN_MODIFY | IN_CLOSE_WRITE, or the last alone
    argv: [workspace.floor, "drain-inotify", directory, events === "cycle" ? "0x2a" : "0x08"],
  }),
};

export const fanotifyFloor: Contender = {
  ...floor,
  name: "C floor fanotify",
  backend: "fanotify",
  command: ({ workspace, directory }) => ({
    argv: [workspace.floor, "drain-fanotify", directory],
  }),
};

export const spawnFloor: Contender = {
  ...floor,
  name: "C floor",
  backend: "inotify",
  command: ({ workspace, directory, fifo = "" }) => ({
    argv: [
      ...[workspace.floor, "spawn-floor", directory, String(commandsAtOnce)],
      ...[workspace.stamp, fifo],
    ],
  }),
};
