/** A rule in one plain sentence. */
import { textOrNull, utf8 } from "../../ffi/bytes.ts";
import { entryEvents, type EventName, eventBits, namesOf } from "../event.ts";
import { quoted } from "../log.ts";
import { durationText } from "../rule/duration.ts";
import { filterTexts } from "../rule/filter-text.ts";
import {
  type Alternative,
  defaultPollIntervalMs,
  type Rule,
  type WatchPath,
} from "../rule/rule.ts";
import { shellWords } from "../rule/shell-words.ts";
import type { Command } from "../rule/template.ts";
import { describePolicy, describeSurroundings } from "./describe-actions.ts";
import { describeActor } from "./describe-actor.ts";
import { templateText } from "./toml-template.ts";

/** What follows "when it ...". */
const happenings: Readonly<Record<EventName, string>> = {
  create: "is created",
  open: "is opened",
  open_exec: "is executed",
  access: "is read",
  modify: "is modified",
  attrib: "gets other attributes",
  close_write: "is closed after writing",
  close_nowrite: "is closed without having been written",
  moved_from: "is renamed away",
  moved_to: "is renamed to here",
  rename: "is renamed",
  delete: "is deleted",
  move_self: "is itself renamed",
  delete_self: "is itself deleted",
  unmount: "is on a filesystem that is unmounted",
  q_overflow: "may have been missed, as the kernel's queue was full",
};

/** `import: when anything in "/srv/in" is closed after writing: runs /bin/import {path}` */
export function describeRule(rule: Rule): string {
  return `${rule.name}: when ${conditions(rule)}: ${action(rule)}${how(rule)}`;
}

/** Alternatives that look at the same things are said together. */
function conditions({ watch, condition }: Rule): string {
  const bySubject = new Map<string, string[]>();
  for (const alternative of condition) {
    for (const [subject, happening] of sayings(alternative, watch)) {
      const said = bySubject.get(subject) ?? [];
      if (!said.includes(happening)) bySubject.set(subject, [...said, happening]);
    }
  }
  return [...bySubject].map(([subject, said]) => `${subject} ${listed(said)}`).join(", or ");
}

function sayings(alternative: Alternative, watch: readonly WatchPath[]): [string, string][] {
  const { groups, children, directories } = alternative;
  const subject = (seesEntries: boolean): string =>
    listed(watch.map((path) => subjectOf(path, seesEntries))) +
    (directories ? "" : " (directories do not count)");
  if (groups.length > 1) {
    const all = groups.map((group) => happeningOf(group).replace(/^is /, ""));
    return [[subject(children), `has been ${both(all)} since that last happened`]];
  }
  const [events = 0] = groups;
  const entries = children ? 0 : events & entryEvents;
  const own = events & ~entries;
  const found: [string, string][] = [];
  // The directory itself tells of its entries' coming and going, with or without FAN_EVENT_ON_CHILD.
  if (own !== 0) found.push([subject(children), happeningOf(own)]);
  if (entries !== 0) found.push([subject(true), happeningOf(entries)]);
  return found;
}

export function subjectOf(
  { path, recursive, isGlob, skipsDotDirectories }: WatchPath,
  seesEntries: boolean,
): string {
  const shown = quoted(path);
  const what = isGlob === true ? `what matches ${shown}` : shown;
  const except =
    skipsDotDirectories === true && recursive ? ", but not in directories with a dot" : "";
  if (recursive) return `${what} or anything below it${except}`;
  return seesEntries ? `${what} or anything in it` : what;
}

function happeningOf(events: number): string {
  if ((events & everyChange) === everyChange) return "has anything happen to it";
  const closes = eventBits.close_write | eventBits.close_nowrite;
  if (events === closes) return "is closed";
  return listed(namesOf(events).map((name) => happenings[name]));
}

const everyChange = namesOf(0xffff)
  .filter(
    (name) =>
      name !== "q_overflow" && name !== "open_exec" && name !== "rename" && name !== "unmount",
  )
  .reduce((all, name) => all | eventBits[name], 0);

export function listed(said: readonly string[]): string {
  if (said.length < 2) return said.join("");
  return `${said.slice(0, -1).join(", ")} or ${said.at(-1)}`;
}

function both(said: readonly string[]): string {
  return said.length === 2
    ? `both ${said.join(" and ")}`
    : `${said.slice(0, -1).join(", ")} and ${said.at(-1)}`;
}

function action({ command, runAs }: Rule): string {
  if (command === null) return "writes the event to stdout, and runs nothing";
  const who = runAs === undefined ? "" : ` as ${runAs.user}`;
  return `runs ${commandText(command)}${who}`;
}

export function commandText({ words }: Command): string {
  const decode = (bytes: Uint8Array): string => textOrNull(bytes) ?? String.fromCharCode(...bytes);
  const texts = words.map((word) => {
    if (word.every((part) => "literal" in part)) {
      const whole = word.map((part) => ("literal" in part ? part.literal : utf8("")));
      return shellWords([Buffer.concat(whole)]);
    }
    return templateText(word, decode);
  });
  return texts.join(" ");
}

function how(rule: Rule): string {
  const { backend, pollIntervalMs, scope, once, policy, runAs, filter = {}, actor } = rule;
  const { surroundings = {} } = rule;
  const said: string[] = filterTexts(filter);
  if (actor !== undefined) said.push(describeActor(actor));
  if (backend === "poll")
    said.push(`looks every ${durationText(pollIntervalMs ?? defaultPollIntervalMs)}`);
  else if (backend !== "auto")
    said.push(backend === "fanotify" ? "fanotify, needs root" : "inotify");
  if (scope === "filesystem") said.push("the whole filesystem reports, needs root");
  if (once === true) said.push("once, and then no more");
  if (policy !== undefined) said.push(...describePolicy(policy));
  const { onFailure = null } = policy ?? {};
  if (onFailure !== null) said.push(`if it fails for good, runs ${commandText(onFailure)}`);
  said.push(...describeSurroundings(surroundings));
  if (runAs?.needsAccess === true) said.push(`only for what ${runAs.user} may read`);
  return said.length === 0 ? "" : ` (${said.join("; ")})`;
}
