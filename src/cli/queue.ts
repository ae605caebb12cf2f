/** `facron queue`: what of durable rules waits, runs and died; what died is tried again, or dropped. */
import { type ArgsDef, parseArgs } from "citty";
import { resolve } from "node:path";
import { lossyText, textOrNull } from "../../ffi/bytes.ts";
import { defaultStateDir } from "../config/source.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { namesOf } from "../event.ts";
import { type QueueEntry, QueueDesk } from "../journal/desk.ts";
import { JournalError } from "../journal/fault.ts";
import { placeOf } from "../journal/place.ts";
import { quoted } from "../log.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import {
  configurationArgs,
  configurationFiles,
  configurationLists,
  configurationLoader,
} from "./configuration.ts";
import type { Context } from "./context.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { StderrLog } from "./log.ts";
import { print } from "./print.ts";

const args = {
  ...configurationArgs,
  "state-dir": { type: "string", valueHint: "DIR" },
  rule: { type: "string", valueHint: "NAME" },
  dead: { type: "boolean" },
  all: { type: "boolean" },
  json: { type: "boolean" },
} satisfies ArgsDef;

const shape: Shape = { args, words: "ID", lists: configurationLists };

type Given = ReturnType<typeof parseArgs<typeof args>>;

const verbs = ["list", "retry", "drop"] as const;
type Verb = (typeof verbs)[number];

export function queue({ words, cwd }: Context): ExitCode {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  const [first = "list", ...rest] = given._;
  const verb = verbs.find((one) => one === first);
  if (verb === undefined)
    throw new UsageError(`Unknown word ${quoted(first)} after queue: use ${verbs.join(", ")}`);
  const ids = rest.map(idOf);
  if (verb !== "list" && ids.length === 0 && given.rule === undefined && given.all !== true)
    throw new UsageError(
      `Cannot tell what to ${verb}: name ids (facron queue list shows them), --rule NAME or --all`,
    );
  try {
    using desk = new QueueDesk(placeFor(given, cwd));
    if (given.rule !== undefined) checkRule(given.rule, desk, given, cwd);
    return answer(desk, verb, { given, ids });
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return failed(error.message);
  }
}

function idOf(word: string): number {
  if (/^[1-9]\d{0,14}$/.test(word)) return Number(word);
  throw new UsageError(`${quoted(word)} is no id: facron queue list shows those that there are`);
}

function placeFor(given: Given, cwd: string): ReturnType<typeof placeOf> {
  const files = configurationFiles(given, { cwd });
  const named = given["state-dir"];
  if (named !== undefined) return placeOf(resolve(cwd, named), files);
  try {
    const { settings } = configurationLoader(given, { cwd })();
    return placeOf(settings.stateDir ?? defaultStateDir, files);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UsageError(
      `Cannot read state_dir from the configuration, which has errors (see facron check): name it with --state-dir, ${defaultStateDir} if it is not set`,
    );
  }
}

/** A name that is only mistyped is not to look like a queue with nothing in it. @throws {UsageError} */
function checkRule(rule: string, desk: QueueDesk, given: Given, cwd: string): void {
  const names = desk.rules();
  if (names.has(rule)) return;
  for (const name of durableNames(given, cwd)) names.add(name);
  if (names.has(rule)) return;
  const there = [...names].map(quoted).join(", ");
  const cure = names.size === 0 ? "no rule has had events" : `use ${there}`;
  throw new UsageError(`No durable rule ${quoted(rule)}: ${cure}`);
}

/** Of the configuration as it is now; none if it has errors. */
function durableNames(given: Given, cwd: string): string[] {
  try {
    const { rules } = configurationLoader(given, { cwd })();
    return rules.filter(({ policy }) => policy?.durable === true).map(({ name }) => name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [];
  }
}

interface Asked {
  readonly given: Given;
  readonly ids: readonly number[];
}

function answer(desk: QueueDesk, verb: Verb, { given, ids }: Asked): ExitCode {
  const all = desk.list();
  const unknown = ids.find((id) => !all.some((entry) => entry.id === id));
  if (unknown !== undefined)
    return failed(`No event ${unknown} in the queue: facron queue list shows what there is`);
  const chosen = all.filter(({ id, rule, state }) => {
    if (ids.length > 0 && !ids.includes(id)) return false;
    if (given.rule !== undefined && given.rule !== rule) return false;
    return (given.dead !== true && verb !== "retry") || state === "dead";
  });
  if (verb === "list") return print(given.json === true ? asJson(chosen) : asTable(chosen));
  const missed = verb === "retry" ? ids.find((id) => !chosen.some((one) => one.id === id)) : null;
  if (missed !== null && missed !== undefined)
    return failed(`Cannot retry ${missed}: it has not died; it is run when its turn comes`);
  const numbers = chosen.map(({ id }) => id);
  if (verb === "retry") desk.retry(numbers);
  else desk.drop(numbers);
  const what = chosen.length === 1 ? "1 event" : `${chosen.length} events`;
  return print(verb === "retry" ? `${what} put back\n` : `${what} dropped\n`);
}

function failed(message: string): ExitCode {
  const log = new StderrLog();
  log.error(message);
  log.close();
  return exitCode.failed;
}

function timeText(microseconds: number): string {
  return new Date(microseconds / 1000).toISOString();
}

const head = ["ID", "STATE", "RULE", "CAME", "RUNS", "EVENTS", "PATH"];

function asTable(entries: readonly QueueEntry[]): string {
  if (entries.length === 0) return "Nothing waits, and nothing died\n";
  const cells = entries.map(({ id, state, rule, came, runs, trigger, error }) => {
    const events = namesOf(trigger.events).join(",");
    const path = quoted(trigger.path) + (error === null ? "" : ` (${error})`);
    return [String(id), state, quoted(rule), timeText(came), String(runs), events, path];
  });
  const lines = [head, ...cells];
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => Bun.stringWidth(line[column]!))),
  );
  const padded = lines.map((line) =>
    line.map((cell, column) => cell + " ".repeat(widths[column]! - Bun.stringWidth(cell))),
  );
  return padded.map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

function asJson(entries: readonly QueueEntry[]): string {
  return entries.map((entry) => `${JSON.stringify(jsonOf(entry))}\n`).join("");
}

function jsonOf({ id, state, rule, came, runs, trigger, died, error }: QueueEntry): object {
  const { path, from, events } = trigger;
  return {
    v: 1,
    id,
    state,
    rule,
    came: timeText(came),
    runs,
    events: namesOf(events),
    path: lossyText(path),
    ...(textOrNull(path) === null ? { path_bytes: Buffer.from(path).toString("base64") } : {}),
    ...(from.length === 0 ? {} : { from: lossyText(from) }),
    ...(died === null ? {} : { died: timeText(died) }),
    ...(error === null ? {} : { error }),
  };
}
