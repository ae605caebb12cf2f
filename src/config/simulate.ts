/** What the rules would do if something happened: decided by the matcher itself. */
import { latin1 } from "../../ffi/bytes.ts";
import { eventBits, namesOf } from "../event.ts";
import { needsKnownActor } from "../rule/actor.ts";
import { eventEnvironment } from "../rule/event-environment.ts";
import { RuleFilter } from "../rule/filter.ts";
import { leftOutText } from "../rule/filter-text.ts";
import { componentsOf, type NamePattern } from "../rule/glob.ts";
import { type Interest, Interests } from "../rule/matcher.ts";
import { eventsOf, type Rule, type WatchPath } from "../rule/rule.ts";
import { RuleSet } from "../rule/rule-set.ts";
import { type Disk, isDeparture, isEndOfWatch, type Subject } from "../rule/subject.ts";
import { Counters, fillCommand } from "../rule/template.ts";
import { viewDirectory, viewSelf } from "../rule/view.ts";

/** Something that happens. */
export interface Happening {
  /** `eventBits` */
  readonly events: number;
  /** Absolute. */
  readonly path: Uint8Array;
  /** The old path of a rename. */
  readonly from: Uint8Array | null;
  readonly isDirectory: boolean;
}

export type Outcome =
  | { readonly rule: Rule; readonly fires: true; readonly run: Run | null }
  /** @param why as it follows "does not fire: " */
  | { readonly rule: Rule; readonly fires: false; readonly why: string };

/** What would be run, exactly. */
export interface Run {
  readonly argv: readonly Uint8Array[];
  /** `NAME=value` entries about the event. */
  readonly variables: readonly Uint8Array[];
}

/** @param disk for filters that look at the file: it may be there, as it would be when that happened */
export function simulate(rules: readonly Rule[], happening: Happening, disk: Disk): Outcome[] {
  return rules.map((rule) => outcomeFor(rule, happening, disk));
}

/** How a path lies to a watched one. */
interface Relation {
  readonly watch: WatchPath;
  /** 0: it is the watched path; 1: it is in it; more: below. */
  readonly depth: number;
  readonly isHidden: boolean;
  /** Of the path, the part that is not the watched one's begins here. */
  readonly rootLength: number;
  /** The path, or the old path of a rename. */
  readonly path: Uint8Array;
  /** The last component of a pattern, if the path is what it matches. */
  readonly pattern: NamePattern | null;
}

function outcomeFor(rule: Rule, happening: Happening, disk: Disk): Outcome {
  if (rule.backend === "inotify" && rule.actor !== undefined && needsKnownActor(rule.actor))
    return {
      rule,
      fires: false,
      why: "it is for certain processes, and inotify does not tell who did it",
    };
  const places = [happening.path, ...(happening.from === null ? [] : [happening.from])];
  const relations = places.flatMap((path) =>
    rule.watch.flatMap((watch) => relationOf(watch, path) ?? []),
  );
  if (relations.length === 0)
    return { rule, fires: false, why: `it watches ${pathsOf(rule)}, and the path is not in there` };
  const whys: string[] = [];
  for (const relation of relations) {
    const why = whyNot(rule, relation, happening) ?? whyFiltered(rule, relation, happening, disk);
    if (why === null) return { rule, fires: true, run: runOf(rule, relation, happening) };
    whys.push(why);
  }
  return { rule, fires: false, why: whys[0]! };
}

function pathsOf({ watch }: Rule): string {
  return watch.map(({ path }) => `"${Buffer.from(path).toString()}"`).join(" or ");
}

function relationOf(watch: WatchPath, path: Uint8Array): Relation | null {
  const names = latin1(path)
    .split("/")
    .filter((name) => name !== "");
  const wanted = latin1(watch.path)
    .split("/")
    .filter((name) => name !== "");
  const depth = names.length - wanted.length;
  if (depth < 0) return null;
  const components = watch.isGlob === true ? componentsOf(watch.path) : null;
  const matches = wanted.every((name, at) => {
    const component = components?.[at];
    if (component === undefined) return name === names[at];
    return "pattern" in component
      ? component.pattern.test(names[at]!)
      : latin1(component.literal) === names[at];
  });
  if (!matches) return null;
  const last = components?.at(-1);
  const pattern = depth === 0 && last !== undefined && "pattern" in last ? last.pattern : null;
  const isHidden = names.slice(wanted.length, -1).some((name) => name.startsWith("."));
  const above = names.slice(0, depth === 0 ? -1 : wanted.length);
  const rootLength = above.reduce((length, name) => length + name.length + 1, 1);
  return { watch, depth, isHidden, rootLength, path, pattern };
}

/** Null if the rule has no filter, or one that lets it through. */
function whyFiltered(
  { filter }: Rule,
  relation: Relation,
  { path, events, isDirectory }: Happening,
  disk: Disk,
): string | null {
  if (filter === undefined) return null;
  const cut = relation.path.lastIndexOf(slash) + 1;
  const subject: Subject = {
    directory: { raw: relation.path.subarray(0, cut) },
    rootLength: relation.rootLength,
    name: relation.path.subarray(cut),
    isDirectory,
    isOfWatch: isEndOfWatch(events, { isDirectory, isWatched: relation.depth === 0 }),
    facts: isDeparture(events) ? null : disk.facts(path, { followSymlink: relation.depth === 0 }),
  };
  const compiled = new RuleFilter(filter, disk);
  const reason = compiled.judgeName(subject) ?? compiled.judgeState(subject);
  return reason === null ? null : `left out by ${leftOutText(reason, filter)}`;
}

/** Null if the rule fires. */
function whyNot(rule: Rule, relation: Relation, happening: Happening): string | null {
  const { depth, isHidden, watch } = relation;
  if (depth > 1 && !watch.recursive)
    return `the path is ${depth} levels below "${Buffer.from(watch.path).toString()}", and the rule is not recursive`;
  if (isHidden && watch.skipsDotDirectories === true)
    return "it is below a directory whose name starts with a dot, and those are left out";
  const verdict = verdictOf(rule, relation, happening);
  if (verdict.met.length > 0) return null;
  const partial = verdict.partial[0];
  if (partial !== undefined && rule.once !== true)
    return `it needs more to happen to that path first: ${waitsFor(rule)}`;
  if (partial !== undefined) return null; // the first time
  const looked = eventsOf(rule.condition) & happening.events;
  if (looked === 0) return `it waits for ${waitsFor(rule)}`;
  if (happening.isDirectory && !rule.condition.some(({ directories }) => directories))
    return "directories do not count: add |FAN_ONDIR to the events";
  return "what happens to the files in the directory does not count: add |FAN_EVENT_ON_CHILD to the events";
}

function waitsFor({ condition }: Rule): string {
  const alternatives = condition.map(({ groups }) =>
    groups.map((group) => namesOf(group).join(" or ")).join(" and "),
  );
  return alternatives.join(", or ");
}

function verdictOf(
  rule: Rule,
  { depth, pattern }: Relation,
  { events, isDirectory, path }: Happening,
) {
  // Who will do it nobody knows yet: rules for certain actors are judged as if one of them did.
  const { name: ruleName, watch, condition, command, once = false } = rule;
  const rules = new RuleSet([{ name: ruleName, watch, condition, runs: command !== null, once }]);
  const isNamed = pattern !== null && !isDirectory;
  const interest: Interest = isNamed
    ? { rule: 0, self: false, children: true, names: pattern }
    : { rule: 0, self: depth === 0, children: true };
  const kind =
    events | (depth === 0 && !isNamed ? viewSelf : 0) | (isDirectory ? viewDirectory : 0);
  const name = path.subarray(path.lastIndexOf(0x2f) + 1);
  return new Interests(rules, [interest]).verdict(kind, name, 0, name.length);
}

function runOf(rule: Rule, relation: Relation, happening: Happening): Run | null {
  if (rule.command === null) return null;
  const isNamed = relation.pattern !== null && !happening.isDirectory;
  const filling = {
    ...happening,
    from: (happening.events & eventBits.rename) !== 0 ? (happening.from ?? noBytes) : noBytes,
    pid: 0,
    seq: 1,
    isSelf: relation.depth === 0 && !isNamed,
  };
  const source = { rule: rule.name, counters: new Counters() };
  const argv = fillCommand(rule.command, filling, source);
  return { argv, variables: eventEnvironment(filling, source) };
}

const slash = 0x2f;
const noBytes = new Uint8Array(0);
