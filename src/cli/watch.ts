/** `facron watch PATH...`: the stream of events without a configuration file. */
import { type ArgsDef, parseArgs } from "citty";
import { latin1, lossyText, utf8 } from "../../ffi/bytes.ts";
import { parseEventList } from "../config/event-names.ts";
import { absolutePath } from "../config/watch-path.ts";
import { type DaemonEnd, runDaemon } from "../daemon/daemon.ts";
import { commandLine } from "../environment.ts";
import { type ConfigProblem, UsageError } from "../errors.ts";
import { changeEvents } from "../event.ts";
import { quoted } from "../log.ts";
import type { BackendChoice, Rule } from "../rule/rule.ts";
import { parsePollInterval, missedByPolling } from "../rule/poll-limits.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import type { DaemonContext } from "./context.ts";

const args = {
  recursive: { type: "boolean", alias: "r" },
  events: { type: "string", alias: ["e", "event"], valueHint: "EVENT[,EVENT]" },
  backend: { type: "string", alias: "b", valueHint: "auto|fanotify|inotify|poll" },
  "poll-interval": { type: "string", valueHint: "DURATION" },
} satisfies ArgsDef;

export const watchShape: Shape = { args, words: "PATH", lists: { events: "," } };

const backends = ["auto", "fanotify", "inotify", "poll"] as const satisfies BackendChoice[];

/** @param context its words are those behind `watch` */
export function watch(context: DaemonContext): Promise<DaemonEnd> {
  const given = parseArgs(strictArguments(context.words, watchShape), args);
  const paths = given._;
  if (paths.length === 0) throw new UsageError("No PATH to watch: facron watch /srv/in");
  const rule: Rule = {
    name: "watch",
    watch: paths.map((path) => {
      if (path === "") throw new UsageError('Cannot watch "": the path is empty');
      return { path: pathBytes(path, context.cwd), recursive: given.recursive === true };
    }),
    ...pollingOf(given.backend, given["poll-interval"]),
    condition: [{ groups: [eventsOf(given.events)], children: true, directories: true }],
    command: null,
  };
  const warnings = pollWarnings(rule, given.events);
  return runDaemon({
    ...context.daemon,
    load: () => ({ rules: [rule], warnings }),
    everyPathMustWork: true,
    maxRunning: null,
  });
}

function eventsOf(list: string | undefined): number {
  return list === undefined ? changeEvents : parseEventList(list);
}

function backendOf(name: string | undefined): BackendChoice {
  const known = backends.find((backend) => backend === (name ?? "auto"));
  if (known !== undefined) return known;
  throw new UsageError(`Unknown backend ${quoted(name!)}: use auto, fanotify, inotify or poll`);
}

function pollingOf(
  name: string | undefined,
  interval: string | undefined,
): Pick<Rule, "backend" | "pollIntervalMs"> {
  const backend = backendOf(name);
  if (interval === undefined) return { backend };
  if (backend !== "poll")
    throw new UsageError("Cannot use --poll-interval without --backend poll: add that");
  const milliseconds = parsePollInterval(interval);
  if (typeof milliseconds === "number") return { backend, pollIntervalMs: milliseconds };
  throw new UsageError(`Cannot use --poll-interval ${quoted(interval)}: ${milliseconds}`);
}

/** Of what was asked for by name. @throws {UsageError} if nothing of it can be told */
function pollWarnings({ backend, condition }: Rule, events: string | undefined): ConfigProblem[] {
  if (backend !== "poll" || events === undefined) return [];
  const missed = missedByPolling(condition);
  if (missed === null) return [];
  const { message, isNever } = missed;
  if (isNever) throw new UsageError(message);
  return [{ file: "", line: 0, column: 0, length: 1, text: "", message }];
}

/** The bytes that were typed: JavaScript's copy of an argument has lost what is not UTF-8. */
function pathBytes(path: string, cwd: string): Uint8Array {
  const bytes = path.includes("\uFFFD") ? (typedBytes(path) ?? utf8(path)) : utf8(path);
  return absolutePath(latin1(bytes), latin1(utf8(cwd)));
}

function typedBytes(path: string): Uint8Array | null {
  return commandLine().find((word) => lossyText(word) === path) ?? null;
}
