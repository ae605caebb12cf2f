/** A gate in one plain sentence. */
import { durationText } from "../rule/duration.ts";
import { filterTexts } from "../rule/filter-text.ts";
import {
  type Ask,
  denyErrnos,
  type Gate,
  type GateEventName,
  gateNamesOf,
  type Verdict,
} from "../rule/gate.ts";
import { commandText, listed, subjectOf } from "./describe.ts";
import { describeSurroundings } from "./describe-actions.ts";
import { describeActor } from "./describe-actor.ts";

/** What follows "before it ...". */
const happenings: Readonly<Record<GateEventName, string>> = {
  open_perm: "is opened",
  access_perm: "is read",
  open_exec_perm: "is executed",
  pre_access: "has a part of it read or written",
};

/** `scan: before "/srv/in" or anything in it is opened: asks /bin/scan {path} (...)` */
export function describeGate(gate: Gate): string {
  const { name, watch, events, children, directories, filter = {}, actor } = gate;
  const subject = listed(watch.map((path) => subjectOf(path, children)));
  const except = directories ? "" : " (directories do not count)";
  const what = listed(gateNamesOf(events).map((one) => happenings[one]));
  const how = [
    ...filterTexts(filter),
    ...(actor === undefined ? [] : [describeActor(actor)]),
    ...(gate.decision.kind === "ask" ? describeAsk(gate.decision) : []),
    ...describeScope(gate),
    ...(gate.audit === true ? ["the kernel's audit log gets each verdict"] : []),
  ];
  const said = how.length === 0 ? "" : ` (${how.join("; ")})`;
  return `${name}: before ${subject}${except} ${what}: ${describeDecision(gate)}${said}`;
}

/** `denies it with EBUSY`, `asks /bin/scan {path} as scanner` */
export function describeDecision({ decision, errno }: Gate): string {
  const failure = errnoName(errno);
  const denied = failure === null ? "" : ` with ${failure}`;
  switch (decision.kind) {
    case "allow":
      return "allows it";
    case "deny":
      return `denies it${denied}`;
    case "ask": {
      const who = decision.runAs === undefined ? "" : ` as ${decision.runAs.user}`;
      const otherwise = denied === "" ? "" : `, and denies${denied}`;
      return `asks ${commandText(decision.command)}${who}${otherwise}`;
    }
  }
}

/** Null: EPERM, as the kernel has it. */
export function errnoName(errno: number | undefined): string | null {
  return Object.entries(denyErrnos).find(([, value]) => value === errno)?.[0] ?? null;
}

/** Clauses about what happens around the command. */
export function describeAsk(ask: Ask): string[] {
  const { timeoutMs, onTimeout, onError, cacheMs, maxRunning, surroundings = {} } = ask;
  const cached =
    cacheMs === 0
      ? "its answer is for those who wait then"
      : `its answer holds for ${durationText(cacheMs)}, while the file is unchanged`;
  return [
    `${says[onTimeout]} after ${durationText(timeoutMs)} without an answer`,
    `${says[onError]} if it fails`,
    cached,
    `at most ${maxRunning} at once`,
    ...describeSurroundings(surroundings),
  ];
}

const says: Readonly<Record<Verdict, string>> = { allow: "allows", deny: "denies" };

function describeScope({ scope = "tree" }: Gate): string[] {
  const by = scope === "mount" ? "only what is opened by way of that mount, and " : "";
  return scope === "tree" ? [] : [`${by}the kernel asks about all of the ${scope}`];
}
