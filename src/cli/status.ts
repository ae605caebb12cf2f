/** `facron status`: what the facrons that run say of themselves. */
import { type ArgsDef, parseArgs } from "citty";
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { runtimeDirectories, socketOf, socketsIn } from "../daemon/runtime-directory.ts";
import { type Answer, askStatus, removeDeadSockets } from "../daemon/status-client.ts";
import { type StatusDocument, statusSchema } from "../daemon/status-document.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { betweenWords, type Shape, strictArguments } from "./arguments.ts";
import { configurationLoader, defaultConfiguration } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { StderrLog } from "./log.ts";
import { print } from "./print.ts";
import { statusTable } from "./status-table.ts";

const args = {
  config: { type: "string", alias: ["c", "conf"], valueHint: "FILE" },
  pid: { type: "string", valueHint: "N" },
  json: { type: "boolean" },
} satisfies ArgsDef;

const shape: Shape = { args, words: "SOCKET", lists: { config: betweenWords } };

/** facron itself takes half a second at most, if it can answer at all. */
const deadlineMs = 3_000;

interface Wish {
  readonly sockets: readonly string[];
  /** What is said if nothing answers: "No facron runs that can be asked", and the cure. */
  readonly nothing: string;
  readonly cure: string;
}

interface Told {
  readonly socket: string;
  readonly answer: Answer;
}

export async function status({ words, cwd }: Context): Promise<ExitCode> {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  const { sockets, ...otherwise } = wishOf(given, cwd);
  const told = await Promise.all(
    sockets.map(async (socket) => ({ socket, answer: await askStatus(socket, deadlineMs) })),
  );
  const dead = told.filter(({ answer }) => answer.kind === "dead");
  await removeDeadSockets(dead.map(({ socket }) => socket));
  const log = new StderrLog();
  const documents = told.flatMap((one) => documentOf(one, log) ?? []);
  if (documents.length === 0) sayNothing(otherwise, told, log);
  log.close();
  if (documents.length === 0) return exitCode.failed;
  const now = Date.now();
  return print(
    given.json === true
      ? documents.map((one) => `${JSON.stringify(one)}\n`).join("")
      : documents.map((one) => statusTable(one, now)).join("\n"),
  );
}

interface Given {
  readonly config?: string | undefined;
  readonly pid?: string | undefined;
  readonly _: readonly string[];
}

function wishOf({ config, pid, _: named }: Given, cwd: string): Wish {
  if (pid !== undefined && named.length > 0)
    throw new UsageError(`Cannot use --pid and ${quoted(named[0]!)}: leave one of them out`);
  if (named.length > 0) {
    const sockets = named.map((one) => resolve(cwd, one)).flatMap(socketsAt);
    const nothing = `No facron answers at ${named.map(quoted).join(", ")}`;
    return { sockets, nothing, cure: "facron status alone finds those that run" };
  }
  const directories = runtimeDirectories(configuredDirectory(config, cwd));
  if (pid === undefined) {
    const nothing = "No facron runs that can be asked";
    const cure = "start one with facron --config FILE, or name its socket: facron status SOCKET";
    return { sockets: directories.flatMap(socketsIn), nothing, cure };
  }
  if (!/^[1-9]\d{0,9}$/.test(pid))
    throw new UsageError(`Option --pid needs the number of a process: got ${quoted(pid)}`);
  const sockets = directories
    .map((one) => socketOf(Number(pid), one))
    .filter((one) => existsSync(one));
  const nothing = `No facron with pid ${pid} can be asked`;
  return { sockets, nothing, cure: "facron status alone finds those that run" };
}

/** A directory means the sockets in it. */
function socketsAt(path: string): string[] {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isDirectory ? socketsIn(path) : [path];
}

/** @throws {ConfigError} about a configuration that was named */
function configuredDirectory(config: string | undefined, cwd: string): string | undefined {
  if (config === undefined && !existsSync(defaultConfiguration)) return undefined;
  const given = { config, format: undefined, incron: undefined, "incron-conf": undefined };
  try {
    return configurationLoader(given, { cwd })().settings.runtimeDir;
  } catch (error) {
    if (config !== undefined || !(error instanceof ConfigError)) throw error;
    return undefined; // what runs has read it when it was right
  }
}

function documentOf({ socket, answer }: Told, log: Log): StatusDocument | null {
  if (answer.kind === "silent") log.warn(`${quoted(socket)}: ${answer.why}`);
  if (answer.kind !== "answer") return null;
  const document = statusSchema.safeParse(parsed(answer.text));
  if (document.success) return document.data;
  log.warn(`${quoted(socket)}: another version of facron answers: ask with that one`);
  return null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function sayNothing(
  { nothing, cure }: Omit<Wish, "sockets">,
  told: readonly Told[],
  log: Log,
): void {
  const isOthers = told.some(({ answer }) => answer.kind === "forbidden");
  const asOthers = "there is one of another user; ask as that user, or as root: sudo facron status";
  log.error(`${nothing}: ${isOthers ? asOthers : cure}`);
}
