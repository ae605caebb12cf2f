/** `facron watch PATH...`: the stream of events without a configuration file. */
import { type ArgsDef, parseArgs } from "citty";
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { parseEventList } from "../config/event-names.ts";
import { filterPatternMistake } from "../config/filter-pattern.ts";
import { ignoreFileOf } from "../config/ignore-file-name.ts";
import { absolutePath } from "../config/watch-path.ts";
import { runDaemon } from "../daemon/daemon.ts";
import type { DaemonEnd } from "../daemon/options.ts";
import { type ConfigProblem, UsageError } from "../errors.ts";
import { changeEvents } from "../event.ts";
import { quoted } from "../log.ts";
import { anybody } from "../rule/actor.ts";
import type { BackendChoice, Rule } from "../rule/rule.ts";
import { parsePollInterval, missedByPolling } from "../rule/poll-limits.ts";
import type { FileType } from "../rule/subject.ts";
import { betweenWords, type Shape, strictArguments } from "./arguments.ts";
import type { DaemonContext } from "./context.ts";

const args = {
  recursive: { type: "boolean", alias: "r" },
  events: { type: "string", alias: ["e", "event"], valueHint: "EVENT[,EVENT]" },
  include: { type: "string", alias: "i", valueHint: "PATTERN" },
  exclude: { type: "string", alias: "x", valueHint: "PATTERN" },
  type: { type: "string", alias: "t", valueHint: "file|dir|symlink" },
  "ignore-file": { type: "string", valueHint: "NAME" },
  actor: { type: "boolean", alias: "a" },
  backend: { type: "string", alias: "b", valueHint: "auto|fanotify|inotify|poll" },
  "poll-interval": { type: "string", valueHint: "DURATION" },
  scope: { type: "string", valueHint: "tree|filesystem" },
} satisfies ArgsDef;

const lists = {
  events: ",",
  include: betweenWords,
  exclude: betweenWords,
  type: ",",
  "ignore-file": betweenWords,
};

export const watchShape: Shape = { args, words: "PATH", lists };

const types = ["file", "dir", "symlink"] as const satisfies FileType[];

const backends = ["auto", "fanotify", "inotify", "poll"] as const satisfies BackendChoice[];

/** @param context its words are those behind `watch` */
export function watch(context: DaemonContext): Promise<DaemonEnd> {
  const given = parseArgs<typeof args>(strictArguments(context.words, watchShape), args);
  const paths = given._;
  if (paths.length === 0) throw new UsageError("No PATH to watch: facron watch /srv/in");
  const rule: Rule = {
    name: "watch",
    watch: paths.map((path) => {
      if (path === "") throw new UsageError('Cannot watch "": the path is empty');
      return { path: wholePath(path, context.cwd), recursive: given.recursive === true };
    }),
    ...pollingOf(given.backend, given["poll-interval"]),
    ...scopeOf(given),
    condition: [{ groups: [eventsOf(given.events)], children: true, directories: true }],
    command: null,
    ...filterOf(given, context.cwd),
    ...(given.actor === true ? { actor: anybody } : {}),
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

interface GivenFilter {
  readonly include?: string | undefined;
  readonly exclude?: string | undefined;
  readonly type?: string | undefined;
  readonly "ignore-file"?: string | undefined;
}

function filterOf(given: GivenFilter, cwd: string): Pick<Rule, "filter"> {
  const { include, exclude, type, "ignore-file": ignoreFile } = given;
  const filter = {
    ...(include === undefined ? {} : { include: patternsOf(include) }),
    ...(exclude === undefined ? {} : { exclude: patternsOf(exclude) }),
    ...(type === undefined ? {} : { types: type.split(",").map(typeOf) }),
    ...(ignoreFile === undefined ? {} : { ignoreFiles: ignoreFilesOf(ignoreFile, cwd) }),
  };
  return Object.keys(filter).length === 0 ? {} : { filter };
}

function patternsOf(words: string): Uint8Array[] {
  return words.split(betweenWords).map((pattern) => {
    const mistake = filterPatternMistake(pattern);
    if (mistake !== null) throw new UsageError(mistake);
    return pathBytes(pattern);
  });
}

function typeOf(name: string): FileType {
  const known = types.find((type) => type === name);
  if (known !== undefined) return known;
  throw new UsageError(`Unknown type ${quoted(name)}: use file, dir or symlink`);
}

function ignoreFilesOf(words: string, cwd: string): Uint8Array[] {
  return words.split(betweenWords).map((text) => {
    const file = ignoreFileOf(text, cwd);
    if (typeof file === "string") throw new UsageError(file);
    return file;
  });
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

interface GivenScope {
  readonly scope?: string | undefined;
  readonly recursive?: boolean | undefined;
  readonly backend?: string | undefined;
}

function scopeOf({ scope, recursive, backend }: GivenScope): Pick<Rule, "scope"> {
  if (scope === undefined || scope === "tree") return {};
  if (scope !== "filesystem")
    throw new UsageError(`Unknown scope ${quoted(scope)}: use tree or filesystem`);
  if (recursive !== true)
    throw new UsageError("Cannot use --scope filesystem without --recursive: add that");
  if (backend === "inotify" || backend === "poll")
    throw new UsageError(
      `Cannot use --scope filesystem with --backend ${backend}: only fanotify reports a whole filesystem; remove one of them`,
    );
  return { scope };
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

function wholePath(path: string, cwd: string): Uint8Array {
  return absolutePath(latin1(pathBytes(path)), latin1(pathBytes(cwd)));
}
