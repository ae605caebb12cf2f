/** A gate as it is written becomes one as it is asked. */
import { resolved } from "./actor.ts";
import { type Decision, type Gate, type PlannedGate, toldOfAsker } from "./gate.ts";

/** @param uidOf null if there is no such user: nobody is meant */
export function plannedGate(gate: Gate, uidOf: (user: string) => number | null): PlannedGate {
  const { name, scope = "tree", events, children, directories, filter, actor } = gate;
  const { audit = false, errno = 0 } = gate;
  return {
    ...{ name, scope, events, children, directories, audit, errno },
    ...(filter === undefined ? {} : { filter }),
    ...(actor === undefined ? {} : { actor: resolved(actor, uidOf) }),
    decision: plannedDecision(gate.decision),
  };
}

/** Without what the command needs: it is the main thread that runs it. */
function plannedDecision(decision: Decision): PlannedGate["decision"] {
  if (decision.kind !== "ask") return { kind: decision.kind };
  const { kind, command, timeoutMs, onTimeout, onError, cacheMs } = decision;
  const values = new Set(command.words.flat().map((part) => ("value" in part ? part.value : null)));
  const told = toldOfAsker.filter((name) => values.has(name));
  return { kind, timeoutMs, onTimeout, onError, cacheMs, told };
}
