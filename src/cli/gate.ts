/** `facron gate test PATH...`: what the gates of a configuration would decide, and why. */
import { type ArgsDef, parseArgs } from "citty";
import { realpathSync } from "node:fs";
import { pathBytes, utf8 } from "../../ffi/bytes.ts";
import { parseGateEventList } from "../config/event-names.ts";
import { UsageError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { ActorFacts } from "../rule/actor.ts";
import { type Shape, strictArguments } from "./arguments.ts";
import { configurationArgs, configurationLists, configurationLoader } from "./configuration.ts";
import type { Context } from "./context.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { decisionOf, gateAnswerJson, gateAnswerText } from "./gate-answers.ts";
import { gateAnswers, uidOf } from "./gate-attempts.ts";
import { print } from "./print.ts";

const args = {
  ...configurationArgs,
  on: { type: "string", valueHint: "EVENT[,EVENT]" },
  exe: { type: "string", valueHint: "PATH" },
  user: { type: "string", valueHint: "NAME|UID" },
  comm: { type: "string", valueHint: "NAME" },
  directory: { type: "boolean" },
  json: { type: "boolean" },
} satisfies ArgsDef;

const shape: Shape = { args, words: "PATH", lists: { ...configurationLists, on: "," } };

type Given = ReturnType<typeof parseArgs<typeof args>>;

const example = "facron gate test --on open_perm /srv/in/setup.exe";

/** @returns `failed` if one of the attempts would be denied without being asked about */
export function gate({ words, cwd }: Context): ExitCode {
  const given = parseArgs<typeof args>(strictArguments(words, shape), args);
  const [verb, ...paths] = given._;
  if (verb !== "test")
    throw new UsageError(
      verb === undefined
        ? `No word after gate: write ${example}`
        : `Unknown word ${quoted(verb)} after gate: use test, as in ${example}`,
    );
  if (paths.length === 0) throw new UsageError(`No PATH to test: ${example}`);
  const events = parseGateEventList(given.on ?? "open_perm");
  const actor = actorFrom(given);
  const { gates } = configurationLoader(given, { cwd })();
  if (gates.length === 0)
    throw new UsageError(
      "No gates in the configuration: everything is allowed; add a [[gate]], or name another file with --config",
    );
  const answers = gateAnswers(gates, { paths, events, actor, isDirectory: given.directory, cwd });
  print(
    given.json === true
      ? `${JSON.stringify({ v: 1, answers: answers.map(gateAnswerJson) }, null, 2)}\n`
      : answers.map(gateAnswerText).join(""),
  );
  return answers.some((one) => decisionOf(one) === "deny") ? exitCode.failed : exitCode.ok;
}

/** @throws {UsageError} */
function actorFrom({ exe, user, comm }: Given): ActorFacts {
  return {
    exe: exe === undefined ? null : programOf(exe),
    comm: comm === undefined ? null : utf8(comm),
    uid: user === undefined ? null : uidFrom(user),
  };
}

/** As /proc/PID/exe names it. */
function programOf(exe: string): Uint8Array {
  if (!exe.startsWith("/"))
    throw new UsageError(`Option --exe needs an absolute path: got ${quoted(exe)}`);
  try {
    return realpathSync(Buffer.from(pathBytes(exe)), { encoding: "buffer" });
  } catch {
    return pathBytes(exe); // not there, or not yet
  }
}

function uidFrom(user: string): number {
  const uid = /^\d{1,10}$/.test(user) ? Number(user) : uidOf(user);
  if (uid !== null) return uid;
  throw new UsageError(`Unknown user ${quoted(user)}: name one that there is, or a uid`);
}
