/** `facron --config FILE`: follow the rules of a configuration. */
import { type ArgsDef, parseArgs } from "citty";
import { runDaemon } from "../daemon/daemon.ts";
import type { DaemonEnd } from "../daemon/options.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../log.ts";
import { type GateLog, gateLogs } from "../rule/gate.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import {
  configurationArgs,
  configurationFiles,
  configurationLists,
  configurationLoader,
} from "./configuration.ts";
import { type DaemonContext, positiveNumber } from "./context.ts";

const args = {
  ...configurationArgs,
  daemon: { type: "boolean", alias: ["d", "background"] },
  "dry-run": { type: "boolean" },
  "watch-config": { type: "boolean" },
  "gate-log": { type: "string", valueHint: gateLogs.join("|") },
  "max-running": { type: "string", valueHint: "N" },
} satisfies ArgsDef;

export const runShape: Shape = { args, words: null, lists: configurationLists };

export function run(context: DaemonContext): Promise<DaemonEnd> {
  const given = parseArgs<typeof args>(strictArguments(context.words, runShape), args);
  const { journalUrl, ...daemon } = context.daemon;
  const maxRunning = given["max-running"];
  const gateLog = given["gate-log"];
  const dryRun = given["dry-run"] === true;
  const configuration = configurationFiles(given, context);
  return runDaemon({
    ...daemon,
    load: configurationLoader(given, { cwd: context.cwd }),
    ...(dryRun ? {} : { journal: { url: journalUrl, configuration } }),
    everyPathMustWork: false,
    maxRunning: maxRunning === undefined ? null : positiveNumber("--max-running", maxRunning),
    ...(gateLog === undefined ? {} : { gateLog: gateLogGiven(gateLog) }),
    dryRun,
    // incrontab(1) counts on a table being read as soon as it is saved.
    watchesConfiguration:
      given["watch-config"] === true || given.incron === true || given["incron-conf"] !== undefined,
  });
}

/** @throws {UsageError} */
function gateLogGiven(word: string): GateLog {
  const known = gateLogs.find((one) => one === word);
  if (known !== undefined) return known;
  throw new UsageError(`Unknown value ${quoted(word)} for --gate-log: use ${gateLogs.join(", ")}`);
}

/** Whether these words ask to detach. Wrong words are `run`'s to answer. */
export function wantsDaemon(words: readonly string[]): boolean {
  return words.some((word) => word === "-d" || word === "--daemon" || word === "--background");
}
