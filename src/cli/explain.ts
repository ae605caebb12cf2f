/** `facron explain`: what rules do in plain sentences, or what they would do if something happened. */
import { type ArgsDef, parseArgs } from "citty";
import { statSync } from "node:fs";
import { latin1, lossyText, pathBytes, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { describePolicy, describeSurroundings } from "../config/describe-actions.ts";
import { describeActor } from "../config/describe-actor.ts";
import { describeRule } from "../config/describe.ts";
import { describeGate } from "../config/describe-gate.ts";
import { parseMixedEventList } from "../config/event-names.ts";
import { type Happening, type Outcome, type Run, simulate } from "../config/simulate.ts";
import { absolutePath } from "../config/watch-path.ts";
import { UsageError } from "../errors.ts";
import { eventBits } from "../event.ts";
import { quoted } from "../log.ts";
import { isFilter, unknownActor } from "../rule/actor.ts";
import type { Gate } from "../rule/gate.ts";
import type { Rule } from "../rule/rule.ts";
import { shellWords } from "../rule/shell-words.ts";
import { RealDisk } from "../watch/disk.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import { configurationArgs, configurationLists, configurationLoader } from "./configuration.ts";
import type { Context } from "./context.ts";
import type { ExitCode } from "./exit-code.ts";
import { type GateAnswer, gateAnswerJson, gateAnswerText } from "./gate-answers.ts";
import { gateAnswers } from "./gate-attempts.ts";
import { StderrLog } from "./log.ts";
import { print } from "./print.ts";

const args = {
  ...configurationArgs,
  event: { type: "string", alias: ["e", "events"], valueHint: "EVENT[,EVENT]" },
  from: { type: "string", valueHint: "PATH" },
  directory: { type: "boolean" },
  json: { type: "boolean" },
} satisfies ArgsDef;

const whoDoesIt =
  "who does it is for gate test, as in facron gate test --on open_perm --user root /srv/in/a.csv";

const shape: Shape = {
  args,
  words: "FILE",
  lists: { ...configurationLists, event: "," },
  elsewhere: { "--exe": whoDoesIt, "--user": whoDoesIt, "--comm": whoDoesIt },
};

export function explain({ words, cwd }: Context): ExitCode {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  if (given.event === undefined) {
    if (given.from !== undefined || given.directory === true)
      throw new UsageError(
        "Options --from and --directory belong to --event: name the event, e.g. --event rename",
      );
    const { rules, gates } = configurationLoader(given, { cwd, words: given._ })();
    const sentences = [...rules.map(describeRule), ...gates.map(describeGate)];
    return print(
      given.json === true
        ? sentencesAsJson(rules, gates)
        : sentences.map((sentence) => `${sentence}\n`).join(""),
    );
  }
  if (given._.length === 0)
    throw new UsageError("No PATH for the event: facron explain --event close_write /srv/in/a.csv");
  const { events, gateEvents } = parseMixedEventList(given.event);
  const { rules, gates } = configurationLoader(given, { cwd })();
  const log = new StderrLog();
  const disk = new RealDisk(log);
  const answers = given._.map((path) => {
    const happening = happeningAt(path, { ...given, cwd, events });
    const { isDirectory } = happening;
    return {
      path,
      outcomes: events === 0 ? [] : simulate(rules, happening, disk),
      decisions: gateAnswers(gates, {
        paths: [path],
        events: gateEvents,
        ...asked,
        isDirectory,
        cwd,
      }),
    };
  });
  log.close();
  return print(
    given.json === true
      ? answersAsJson(answers, cwd)
      : answers.map((answer) => asText(answer, cwd)).join("\n"),
  );
}

/** Nobody knows yet who does it. */
const asked = { actor: unknownActor };

interface Answer {
  readonly path: string;
  readonly outcomes: readonly Outcome[];
  readonly decisions: readonly GateAnswer[];
}

interface Question {
  readonly cwd: string;
  readonly events: number;
  readonly from?: string | undefined;
  readonly directory?: boolean | undefined;
}

function happeningAt(path: string, { cwd, events, from, directory }: Question): Happening {
  const whole = (one: string): Uint8Array =>
    absolutePath(latin1(pathBytes(one)), latin1(pathBytes(cwd)));
  if (from !== undefined && (events & eventBits.rename) === 0)
    throw new UsageError("Option --from is the old path of a rename: use it with --event rename");
  const isDirectory =
    directory ??
    statSync(Buffer.from(pathBytes(path)), { throwIfNoEntry: false })?.isDirectory() ??
    false;
  return {
    events,
    path: whole(path),
    from: from === undefined ? null : whole(from),
    isDirectory,
  };
}

function asText({ path, outcomes, decisions }: Answer, cwd: string): string {
  const lines = outcomes.flatMap((outcome) => {
    const name = outcome.rule.name;
    if (!outcome.fires) return [`${name} does not fire: ${outcome.why}`];
    const provided = providedText(outcome.rule);
    return [
      `${name} fires for ${quoted(path)}`,
      ...(outcome.run === null
        ? ["  runs nothing: the event is written to stdout"]
        : runText(outcome.rule, outcome.run, cwd)),
      ...(provided === null ? [] : [`  provided     ${provided}`]),
    ];
  });
  return lines.map((line) => `${line}\n`).join("") + decisions.map(gateAnswerText).join("");
}

function runText(rule: Rule, { argv, variables }: Run, cwd: string): string[] {
  const { runAs, policy, surroundings = {}, once } = rule;
  const { cwd: directory, environment = {}, clearsEnvironment: _, ...rest } = surroundings;
  const own = Object.entries(environment).map(([name, value]) => utf8(`${name}=${value}`));
  const how = [
    ...(policy === undefined ? [] : describePolicy(policy)),
    ...describeSurroundings(rest),
  ];
  return [
    `  runs         ${shellWords(argv)}`,
    `  user         ${userText(runAs)}`,
    `  directory    ${directory ?? `${cwd} (where facron is started; / with --daemon)`}`,
    `  environment  ${environmentText(rule)}, and`,
    ...[...own, ...variables].map((entry) => `               ${variableText(entry)}`),
    ...how.map((one, at) => `  ${at === 0 ? "how " : "    "}         ${one}`),
    ...(once === true ? ["  once         and then not again until facron is started anew"] : []),
  ];
}

/** What nobody can tell before it happens. */
function providedText({ actor }: Rule): string | null {
  return actor === undefined || !isFilter(actor) ? null : describeActor(actor);
}

function environmentText({ runAs, surroundings }: Rule): string {
  if (runAs === undefined)
    return surroundings?.clearsEnvironment === true ? "nothing of facron's" : "facron's own";
  const own = "HOME, USER, LOGNAME and SHELL of the user";
  return runAs.clearsEnvironment ? `USERNAME, PATH, ${own}` : `facron's own with ${own}`;
}

function userText(runAs: Rule["runAs"]): string {
  if (runAs === undefined) return "that of facron";
  return runAs.needsAccess
    ? `${runAs.user}, if that user may read the directory of the event`
    : runAs.user;
}

function variableText(entry: Uint8Array): string {
  const equals = entry.indexOf(0x3d) + 1;
  return lossyText(entry.subarray(0, equals)) + shellWords([entry.subarray(equals)]);
}

function sentencesAsJson(rules: readonly Rule[], gates: readonly Gate[]): string {
  const explained = {
    v: 1,
    rules: rules.map((rule) => ({ rule: rule.name, sentence: describeRule(rule) })),
    gates: gates.map((gate) => ({ gate: gate.name, sentence: describeGate(gate) })),
  };
  return `${JSON.stringify(explained, null, 2)}\n`;
}

function answersAsJson(answers: readonly Answer[], cwd: string): string {
  const paths = answers.map(({ path, outcomes, decisions }) => ({
    path: path.toWellFormed(),
    ...(path.isWellFormed() ? {} : { path_bytes: Buffer.from(pathBytes(path)).toString("base64") }),
    rules: outcomes.map((one) => outcomeAsJson(one, cwd)),
    gates: decisions.map(gateAnswerJson),
  }));
  return `${JSON.stringify({ v: 1, paths }, null, 2)}\n`;
}

function outcomeAsJson(outcome: Outcome, cwd: string): object {
  const rule = outcome.rule.name;
  if (!outcome.fires) return { rule, fires: false, why: outcome.why };
  const provided = providedText(outcome.rule);
  const condition = provided === null ? {} : { provided };
  if (outcome.run === null) return { rule, fires: true, ...condition };
  const { argv, variables } = outcome.run;
  const environment = Object.fromEntries(
    variables.map((entry) => lossyText(entry).split(/=(.*)/s).slice(0, 2)),
  );
  const isText = argv.every((word) => textOrNull(word) !== null);
  return {
    ...{
      rule,
      fires: true,
      ...condition,
      argv: argv.map(lossyText),
      ...(isText ? {} : { argv_bytes: argv.map((word) => Buffer.from(word).toString("base64")) }),
    },
    ...{
      user: outcome.rule.runAs?.user ?? null,
      directory: outcome.rule.surroundings?.cwd ?? cwd.toWellFormed(),
      environment: { ...outcome.rule.surroundings?.environment, ...environment },
    },
  };
}
