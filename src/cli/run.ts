/** `facron --config FILE`: follow the rules of a file. */
import { type ArgsDef, parseArgs } from "citty";
import { loadConfiguration } from "../config/load.ts";
import { type DaemonEnd, runDaemon } from "../daemon/daemon.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import { type Context, positiveNumber } from "./context.ts";

export const defaultConfiguration = "/etc/facron.conf";

/** Commands at once, unless it is said otherwise: enough to be busy, too few to drown a server. */
export const defaultMaxRunning = 16;

const args = {
  config: { type: "string", alias: ["c", "conf"], valueHint: "FILE" },
  daemon: { type: "boolean", alias: ["d", "background"] },
  "max-running": { type: "string", valueHint: "N" },
} satisfies ArgsDef;

export const runShape: Shape = { args, words: null };

export function run(context: Context): Promise<DaemonEnd> {
  const given = parseArgs(strictArguments(context.words, runShape), args);
  const file = given.config ?? defaultConfiguration;
  return runDaemon({
    ...context.daemon,
    load: () => loadConfiguration([file], { cwd: context.cwd }),
    everyPathMustWork: false,
    maxRunning: positiveNumber("--max-running", given["max-running"], defaultMaxRunning),
  });
}

/** Whether these words ask to detach. Wrong words are `run`'s to answer. */
export function wantsDaemon(words: readonly string[]): boolean {
  return words.some((word) => word === "-d" || word === "--daemon" || word === "--background");
}
