/** What gates would decide, as `facron gate test` and `facron explain --event open_perm` say it. */
import { lossyText, textOrNull } from "../../ffi/bytes.ts";
import { describeAsk, errnoName } from "../config/describe-gate.ts";
import type { Standing, Trial } from "../config/gate-trial.ts";
import { quoted } from "../log.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { eventEnvironment } from "../rule/event-environment.ts";
import { type Ask, type Gate, gateNamesOf } from "../rule/gate.ts";
import { shellWords } from "../rule/shell-words.ts";
import { Counters, fillCommand, type Filling } from "../rule/template.ts";

export interface GateAnswer {
  /** As it was given: absolute. */
  readonly path: Uint8Array;
  /** As the kernel names it, and as the command gets it. */
  readonly real: Uint8Array;
  /** One of `gateBits`. */
  readonly event: number;
  readonly isDirectory: boolean;
  readonly actor: ActorFacts;
  readonly trial: Trial;
}

/** A word for it: what happens to a process of which no more is known. */
export function decisionOf({ trial }: GateAnswer): "allow" | "deny" | "ask" {
  return trial.decider?.decision.kind ?? "allow";
}

export function gateAnswerText(answer: GateAnswer): string {
  const { path, event, trial } = answer;
  const { decider } = trial;
  const head = `${decisionOf(answer).padEnd(5)} ${quoted(path)} ${gateNamesOf(event).join()}`;
  const failure = decider?.decision.kind === "deny" ? errnoName(decider.errno) : null;
  const by = decider === null ? "no gate is about it" : `by gate ${decider.name}`;
  const lines = [
    `${head}: ${by}${failure === null ? "" : `, with ${failure}`}`,
    ...(decider?.decision.kind === "ask" ? askText(answer, decider, decider.decision) : []),
    ...trial.standings.flatMap((one) => standingText(one, decider)),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function askText(answer: GateAnswer, gate: Gate, ask: Ask): string[] {
  const [first = "", ...rest] = describeAsk(ask);
  return [
    `  runs         ${shellWords(argvOf(answer, gate, ask))}`,
    `  user         ${ask.runAs?.user ?? "that of facron"}`,
    `  how          ${first}`,
    ...rest.map((one) => `               ${one}`),
  ];
}

function standingText(standing: Standing, decider: Gate | null): string[] {
  const { gate, kind } = standing;
  switch (kind) {
    case "decides":
      return gate === decider ? [] : [`  ${gate.name} decides otherwise: ${gate.decision.kind}`];
    case "passes":
      return [`  ${gate.name} does not decide: ${standing.why}`];
    case "depends":
      return [
        `  ${gate.name} depends on what is not known: ${gate.decision.kind}, ${standing.decidesIf}`,
      ];
  }
}

/** {pid} is 0, as there is none yet. */
function argvOf(answer: GateAnswer, gate: Gate, ask: Ask): Uint8Array[] {
  return fillCommand(ask.command, fillingOf(answer, gate), sourceOf(gate));
}

function fillingOf({ real, event, isDirectory, actor }: GateAnswer, gate: Gate): Filling {
  const question = { gate: gate.name, events: gateNamesOf(event), range: null };
  return {
    ...{ path: real, from: noBytes, events: 0, pid: 0, actor, seq: 0 },
    ...{ isSelf: false, isDirectory, question },
  };
}

function sourceOf({ name }: Gate) {
  return { rule: name, counters: new Counters() };
}

export function gateAnswerJson(answer: GateAnswer): object {
  const { path, event, trial } = answer;
  const { decider } = trial;
  const failure = decider?.decision.kind === "deny" ? errnoName(decider.errno) : null;
  return {
    path: lossyText(path),
    ...(textOrNull(path) === null ? { path_bytes: base64(path) } : {}),
    on: gateNamesOf(event)[0],
    decision: decisionOf(answer),
    gate: decider?.name ?? null,
    ...(failure === null ? {} : { errno: failure }),
    ...(decider?.decision.kind === "ask" ? askJson(answer, decider, decider.decision) : {}),
    passed: trial.standings.flatMap((one) =>
      one.kind === "passes" ? [{ gate: one.gate.name, why: one.why }] : [],
    ),
    depends: trial.standings.flatMap((one) =>
      one.kind === "depends"
        ? [{ gate: one.gate.name, decision: one.gate.decision.kind, if: one.decidesIf }]
        : [],
    ),
  };
}

function askJson(answer: GateAnswer, gate: Gate, ask: Ask): object {
  const argv = argvOf(answer, gate, ask);
  const isText = argv.every((word) => textOrNull(word) !== null);
  const variables = eventEnvironment(fillingOf(answer, gate), sourceOf(gate));
  const environment = Object.fromEntries(
    variables.map((entry) => lossyText(entry).split(/=(.*)/s).slice(0, 2)),
  );
  return {
    argv: argv.map(lossyText),
    ...(isText ? {} : { argv_bytes: argv.map(base64) }),
    user: ask.runAs?.user ?? null,
    environment: { ...ask.surroundings?.environment, ...environment },
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

const noBytes = new Uint8Array(0);
