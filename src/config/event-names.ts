/** The names of events in the dialects, FAN_*, IN_* and bare, and what each of them means. */
import { UsageError } from "../errors.ts";
import { eventBits, eventNames, type EventName } from "../event.ts";
import { quoted } from "../log.ts";
import { gateBits, gateEventNames } from "../rule/gate.ts";
import type { BackendChoice } from "../rule/rule.ts";
import { didYouMean } from "./did-you-mean.ts";
import { refusals } from "./refused-names.ts";
import { loneSeparator } from "./separators.ts";

export type Meaning =
  /** One group: it happens when any of `events` does. */
  | { readonly kind: "event"; readonly backend: BackendChoice; readonly events: number }
  /** Decided before it happens, by gates only: `gateBits`, any of them. */
  | { readonly kind: "permission"; readonly backend: BackendChoice; readonly events: number }
  /** Widens the alternative it stands in. */
  | { readonly kind: "modifier"; readonly backend: "fanotify"; readonly sets: Modified }
  /** Understood, but not to be had: `reason` says why and what to write. */
  | { readonly kind: "refused"; readonly reason: string };

type Modified = "children" | "directories";

/** What `name` means, in any case of letters; null if nobody knows it. */
export function meaningOf(name: string): Meaning | null {
  return meanings.get(name.toUpperCase()) ?? null;
}

/**
 * The events that `facron watch --events` lists: any of them counts.
 *
 * @param text names joined by "," or "|", blanks around them allowed
 * @throws {UsageError} about the first name that is no event, or a separator without one
 */
export function parseEventList(text: string): number {
  return listOf(text, bitsOf, "close_write,move");
}

/** The same for what gates decide: `gateBits`. */
export function parseGateEventList(text: string): number {
  return listOf(text, gateBitsOf, "open_perm,open_exec_perm");
}

/** Both in one list: what happens, and what is about to. */
export function parseMixedEventList(text: string): {
  readonly events: number;
  readonly gateEvents: number;
} {
  const isGates = (name: string): boolean => meaningOf(name)?.kind === "permission";
  return {
    events: listOf(text, (name) => (isGates(name) ? 0 : bitsOf(name)), null),
    gateEvents: listOf(text, (name) => (isGates(name) ? gateBitsOf(name) : 0), null),
  };
}

/** @param example of a list; null: it may well come to nothing */
function listOf(text: string, bitsIn: (name: string) => number, example: string | null): number {
  const lone = loneSeparator(text, { sparesLast: false });
  if (lone !== null) throw new UsageError(lone.message);
  const names = text.split(/[,|]/).map((name) => name.trim());
  const events = names.filter((name) => name !== "").reduce((all, name) => all | bitsIn(name), 0);
  if (events !== 0 || (example === null && names.some((name) => name !== ""))) return events;
  throw new UsageError(
    `Missing event in ${quoted(text)}: write one or more, e.g. ${example ?? "close_write,open_perm"}`,
  );
}

function bitsOf(name: string): number {
  const meaning = meaningOf(name);
  if (meaning === null) throw new UsageError(unknownEvent(name, quoted(name)));
  if (meaning.kind === "event") return meaning.events;
  const reason = whyNoEvent(name, meaning);
  throw new UsageError(`Cannot use ${quoted(name)}: ${reason}`);
}

function gateBitsOf(name: string): number {
  const meaning = meaningOf(name);
  if (meaning?.kind === "permission") return meaning.events;
  const meant = didYouMean(name, gateEventNames);
  const cure = meant === null ? `use ${gateEventNames.join(", ")}` : `did you mean ${meant}?`;
  throw new UsageError(`Cannot use ${quoted(name)}: gates decide before it happens; ${cure}`);
}

function whyNoEvent(name: string, meaning: Exclude<Meaning, { kind: "event" }>): string {
  if (meaning.kind === "refused") return meaning.reason;
  return meaning.kind === "modifier" ? "it is no event; leave it out" : needsGate(name);
}

/** Why a permission event can't be told, as it follows "Cannot use it: ". */
export function needsGate(name: string): string {
  const told = name.toUpperCase().startsWith("FAN_ALL") ? "FAN_OPEN,FAN_ACCESS" : toldInstead(name);
  return `it is decided before it happens, which needs a [[gate]] in TOML; write ${told} to be told afterwards`;
}

function toldInstead(name: string): string {
  return name.replace(/pre_/i, "").replace(/_perm$/i, "");
}

/** The message for a name without meaning. @param shown the name as the message quotes it */
export function unknownEvent(name: string, shown: string): string {
  const meant = suggestionFor(name);
  if (meant !== null) return `Unknown event ${shown}: did you mean ${meant}?`;
  if (/^\d/.test(name))
    return `Unknown event ${shown}: events are written as names, e.g. FAN_MODIFY`;
  return `Unknown event ${shown}: write names like FAN_CLOSE_WRITE, IN_CLOSE_WRITE or close_write`;
}

/** The name that was probably meant by `name`, or null. */
export function suggestionFor(name: string): string | null {
  return didYouMean(name, suggestions);
}

interface Family {
  readonly prefix: "FAN_" | "IN_" | "";
  readonly backend: BackendChoice;
  readonly names: readonly EventName[];
  /** Names that stand for several events and mean any of them. */
  readonly aliases: Readonly<Record<string, number>>;
}

const fanotify = {
  prefix: "FAN_",
  backend: "fanotify",
  names: [
    ...([
      "access",
      "modify",
      "attrib",
      "close_write",
      "close_nowrite",
      "open",
      "open_exec",
    ] as const),
    ...(["create", "delete", "moved_from", "moved_to", "rename"] as const),
    ...(["delete_self", "move_self", "q_overflow"] as const),
  ],
  // FAN_ALL_EVENTS is what <linux/fanotify.h> defines, and facron 1.1 with it; the newer events are not in.
  aliases: {
    close: bits("close_write", "close_nowrite"),
    move: bits("moved_from", "moved_to"),
    all_events: bits("access", "modify", "close_write", "close_nowrite", "open"),
  },
} as const satisfies Family;

const allInotifyEvents = [
  ...(["access", "modify", "attrib", "close_write", "close_nowrite", "open"] as const),
  ...(["moved_from", "moved_to", "create", "delete", "delete_self", "move_self"] as const),
] as const;

const inotify = {
  prefix: "IN_",
  backend: "inotify",
  names: [...allInotifyEvents, "unmount", "q_overflow"],
  aliases: {
    close: bits("close_write", "close_nowrite"),
    move: bits("moved_from", "moved_to"),
    all_events: bits(...allInotifyEvents),
  },
} as const satisfies Family;

const bare = {
  prefix: "",
  backend: "auto",
  names: eventNames,
  // A lost event is said whether or not anyone asks for q_overflow; it has no path to match.
  aliases: {
    close: bits("close_write", "close_nowrite"),
    move: bits("moved_from", "moved_to"),
    all: bits(...eventNames.filter((name) => name !== "q_overflow")),
  },
} as const satisfies Family;

const permissions: Readonly<Record<string, number>> = {
  ...gateBits,
  all_perm_events: gateBits.open_perm | gateBits.access_perm,
};

const modifiers: Readonly<Record<string, Modified>> = {
  FAN_ONDIR: "directories",
  FAN_EVENT_ON_CHILD: "children",
};

function bits(...names: readonly EventName[]): number {
  return names.reduce((all, name) => all | eventBits[name], 0);
}

const meanings = new Map<string, Meaning>();
/** What can be written, as it is usually written. */
const suggestions: string[] = [];

function define(name: string, meaning: Meaning): void {
  meanings.set(name.toUpperCase(), meaning);
  if (meaning.kind !== "refused") suggestions.push(name);
}

for (const { prefix, backend, names, aliases } of [fanotify, inotify, bare] as readonly Family[]) {
  const all = [
    ...names.map((name) => [name, eventBits[name]] as const),
    ...Object.entries(aliases),
  ];
  for (const [name, events] of all) {
    const written = prefix === "" ? name : prefix + name.toUpperCase();
    define(written, { kind: "event", backend, events });
  }
}
for (const [name, events] of Object.entries(permissions)) {
  define(`FAN_${name.toUpperCase()}`, { kind: "permission", backend: "fanotify", events });
  if (name in gateBits) define(name, { kind: "permission", backend: "auto", events });
}
for (const [name, sets] of Object.entries(modifiers)) {
  define(name, { kind: "modifier", backend: "fanotify", sets });
}
for (const [name, reason] of Object.entries(refusals)) define(name, { kind: "refused", reason });
