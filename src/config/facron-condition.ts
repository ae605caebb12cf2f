/** The names of a mask put together: whether they go with each other, and the condition they make. */
import { eventBits } from "../event.ts";
import { eventsOf, type Alternative, type BackendChoice } from "../rule/rule.ts";
import { type Meaning, needsGate } from "./event-names.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Span } from "./span.ts";

export interface Mask {
  readonly backend: BackendChoice;
  readonly condition: readonly Alternative[];
}

/** A name in a mask, at its place. */
export interface NamedEvent extends Span {
  readonly text: string;
  readonly meaning: Exclude<Meaning, { kind: "refused" }>;
}

/** The names joined by `|`. */
type Names = readonly NamedEvent[];

/**
 * What a mask means; null if its names do not go together, which `findings` then have.
 *
 * @param alternatives none of them empty
 */
export function conditionOf(
  mask: Span & { readonly text: string },
  alternatives: readonly Names[],
  findings: Findings,
): Mask | null {
  const names = alternatives.flat();
  if (refusePermissions(names, findings)) return null;
  const first = names.find(isEvent);
  if (first === undefined) {
    const cure = "add one, e.g. FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD";
    findings.error(mask, `Missing event in ${quotedWord(mask.text)}: ${cure}`);
    return null;
  }
  const before = findings.errorCount;
  checkBackend(first, names, findings);
  for (const joined of alternatives) checkOverflow(joined, findings);
  checkLoneModifiers(first, alternatives, findings);
  if (findings.errorCount > before) return null;
  return { backend: first.meaning.backend, condition: alternativesOf(alternatives) };
}

function refusePermissions(names: Names, findings: Findings): boolean {
  const wrong = names.filter(({ meaning }) => meaning.kind === "permission");
  for (const name of wrong)
    findings.error(name, `Cannot use ${quotedWord(name.text)}: ${needsGate(name.text)}`);
  return wrong.length > 0;
}

function isEvent({ meaning }: NamedEvent): boolean {
  return meaning.kind === "event";
}

/** One line makes one watch, which one backend keeps. */
function checkBackend(first: NamedEvent, names: Names, findings: Findings): void {
  const other = names.find(({ meaning }) => meaning.backend !== first.meaning.backend);
  if (other === undefined) return;
  const cure = isEvent(other)
    ? "one line uses one backend; write FAN_, IN_ or bare names throughout, or two lines"
    : "it modifies FAN_ names only; leave it out, directories and what they hold are reported anyway";
  findings.error(other, `Cannot combine ${quotedWord(other.text)} with ${first.text}: ${cure}`);
}

/** An overflow tells of lost events, and of no path: it cannot happen to the same path as another. */
function checkOverflow(joined: Names, findings: Findings): void {
  const overflow = joined.find((name) => eventsIn(name) === eventBits.q_overflow);
  if (overflow === undefined || !joined.some((name) => (eventsIn(name) & withPath) !== 0)) return;
  const cure = "an overflow has no path; put a comma between them";
  findings.error(overflow, `Cannot join ${quotedWord(overflow.text)} to other events: ${cure}`);
}

const withPath = ~eventBits.q_overflow;

/**
 * `FAN_MODIFY,FAN_EVENT_ON_CHILD`: in facron 1.1 that fired for the events of children, since the
 * kernel's mark is the union of the line. It still does, for every event of the line; but it is
 * hardly what its writer knows it to be.
 */
function checkLoneModifiers(
  first: NamedEvent,
  alternatives: readonly Names[],
  findings: Findings,
): void {
  const modifier = alternatives.find((joined) => !joined.some(isEvent))?.[0];
  if (modifier === undefined) return;
  const cure = `join it to them with "|", like ${first.text}|${modifier.text}`;
  const message = `Modifier ${quotedWord(modifier.text)} stands alone: it is taken to mean any event of its line`;
  findings.warning(modifier, `${message}; ${cure}`);
}

function alternativesOf(alternatives: readonly Names[]): Alternative[] {
  const written = alternatives.map(alternativeOf);
  const any = eventsOf(written) & withPath;
  const filled = written.map((one) => (one.groups.length > 0 ? one : { ...one, groups: [any] }));
  return filled.filter(({ groups }) => groups[0] !== 0);
}

/** Its groups are none if there are only modifiers. */
function alternativeOf(joined: Names): Alternative {
  return {
    groups: withoutImplied(joined.map(eventsIn).filter((events) => events !== 0)),
    children: joined.some(({ meaning }) => sets(meaning, "children")),
    directories: joined.some(({ meaning }) => sets(meaning, "directories")),
  };
}

/** The events of which any makes the name happen; 0 for a modifier. */
function eventsIn({ meaning }: NamedEvent): number {
  return meaning.kind === "event" ? meaning.events : 0;
}

/** Only fanotify has to be told to report directories and what they hold. */
function sets(meaning: NamedEvent["meaning"], what: "children" | "directories"): boolean {
  return meaning.kind === "modifier" ? meaning.sets === what : meaning.backend !== "fanotify";
}

/** Without repeats, and without groups that happen whenever a smaller one does. */
function withoutImplied(groups: readonly number[]): number[] {
  const distinct = [...new Set(groups)];
  const implies = (small: number, large: number) => small !== large && (small & large) === small;
  return distinct.filter((group) => !distinct.some((other) => implies(other, group)));
}
