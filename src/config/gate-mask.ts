/** The names of a gate's mask put together: what is decided, and of which places. */
import { type GateEventName, gateBits, gateNamesOf } from "../rule/gate.ts";
import type { NamedEvent } from "./facron-condition.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Span } from "./span.ts";

export interface GateMask {
  /** `gateBits` */
  readonly events: number;
  /** What is in a watched directory counts. */
  readonly children: boolean;
  /** Directories count. */
  readonly directories: boolean;
}

/** The names joined by `|`. */
type Names = readonly NamedEvent[];

export function isOfGate(alternatives: readonly Names[]): boolean {
  return alternatives.flat().some(isPermission);
}

/**
 * What a mask means that is a gate's; null if its names do not go together, which `findings` then have.
 *
 * @param alternatives none of them empty
 */
export function gateMaskOf(
  mask: Span & { readonly text: string },
  alternatives: readonly Names[],
  findings: Findings,
): GateMask | null {
  const names = alternatives.flat();
  const before = findings.errorCount;
  const first = names.find(isPermission);
  for (const name of names) refuseTold(name, first, findings);
  if (findings.errorCount > before) return null;
  if (first === undefined) {
    const cure = "name what is decided, e.g. FAN_OPEN_PERM|FAN_EVENT_ON_CHILD";
    findings.error(mask, `Missing event in ${quotedWord(mask.text)}: ${cure}`);
    return null;
  }
  checkSpelling(first, names, findings);
  for (const joined of alternatives) refuseAllOf(joined, findings);
  const masks = alternatives.map(maskOf);
  checkModifiers(first, alternatives, findings);
  if (findings.errorCount > before) return null;
  return masks.reduce((all, one) => ({
    events: all.events | one.events,
    children: all.children || one.children,
    directories: all.directories || one.directories,
  }));
}

function isPermission({ meaning }: NamedEvent): boolean {
  return meaning.kind === "permission";
}

/** Where no name is of a gate, this is a `[[gate]]`, and its writer has taken one for the other. */
function refuseTold(name: NamedEvent, first: NamedEvent | undefined, findings: Findings): void {
  if (name.meaning.kind !== "event") return;
  const shown = quotedWord(name.text);
  findings.error(
    name,
    first === undefined
      ? `Cannot use ${shown} in a gate: it is told afterwards, and gates decide before; write ${decidedInstead(name.text)}`
      : `Cannot combine ${shown} with ${first.text}: it is told afterwards, and the other is decided before; make it a rule of its own`,
  );
}

function decidedInstead(name: string): string {
  const known = Object.keys(gateBits) as GateEventName[];
  const [, prefix = "", bare = ""] = /^(FAN_|IN_)?(.*)$/i.exec(name)!;
  const counterpart = known.find((one) => one === `${bare.toLowerCase()}_perm`);
  if (counterpart === undefined) return known.slice(0, 3).join(", ");
  return prefix === "" ? counterpart : `FAN_${counterpart.toUpperCase()}`;
}

/** Modifiers are for names with FAN_; without, a gate is for all that is in a directory. */
function checkSpelling(first: NamedEvent, names: Names, findings: Findings): void {
  const other = names.find(({ meaning }) => meaning.backend !== first.meaning.backend);
  if (other === undefined) return;
  const written = quotedWord(other.text);
  const cure =
    other.meaning.kind === "modifier"
      ? "it modifies FAN_ names only; write FAN_ before the others, too"
      : "write all of them with FAN_, or none";
  findings.error(other, `Cannot combine ${written} with ${first.text}: ${cure}`);
}

function refuseAllOf(joined: Names, findings: Findings): void {
  const [first, second] = joined.filter(isPermission);
  if (second === undefined) return;
  findings.error(
    second,
    `Cannot join ${quotedWord(second.text)} to ${first!.text}: each is decided for itself; put a comma between them`,
  );
}

/** A gate is one for all its events. */
function checkModifiers(
  first: NamedEvent,
  alternatives: readonly Names[],
  findings: Findings,
): void {
  const whole = alternatives.map((joined) => joined.filter((name) => !isPermission(name)));
  const lone = alternatives.findIndex((joined) => !joined.some(isPermission));
  if (lone >= 0) {
    const modifier = alternatives[lone]![0]!;
    findings.error(
      modifier,
      `Modifier ${quotedWord(modifier.text)} stands alone: join it to an event with "|", like ${first.text}|${modifier.text}`,
    );
    return;
  }
  const [wanted, ...others] = whole.map((modifiers) => spelled(modifiers));
  const at = others.findIndex((one) => one !== wanted);
  if (at < 0) return;
  findings.error(
    alternatives[at + 1]![0]!,
    `Events of one gate differ in FAN_ONDIR or FAN_EVENT_ON_CHILD: join the same to each, or make ${quotedWord(alternatives[at + 1]!.find(isPermission)!.text)} a gate of its own`,
  );
}

function spelled(modifiers: Names): string {
  const set = modifiers.flatMap(({ meaning }) => (meaning.kind === "modifier" ? meaning.sets : []));
  return [...new Set(set)].sort().join();
}

function maskOf(joined: Names): GateMask {
  let [events, children, directories] = [0, false, false];
  for (const { meaning } of joined) {
    if (meaning.kind === "permission") {
      events |= meaning.events;
      children ||= meaning.backend === "auto";
    } else if (meaning.kind === "modifier") {
      children ||= meaning.sets === "children";
      directories ||= meaning.sets === "directories";
    }
  }
  return { events, children, directories };
}

/** Why directories cannot be asked about for these events, and the cure; null if they can. */
export function whyNoDirectories(events: number): string | null {
  const never = gateBits.open_exec_perm | gateBits.pre_access;
  if ((events & ~never) === 0 || (events & gateBits.pre_access) !== 0) {
    const names = gateNamesOf(events & never).join(" and ");
    return `the kernel asks about ${names} for files only`;
  }
  return null;
}
