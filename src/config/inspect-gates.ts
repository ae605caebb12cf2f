/** What is odd about gates as things are now, above all what of facron's own they would hold up for others. */
import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { latin1, pathBytes, utf8 } from "../../ffi/bytes.ts";
import type { ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import { unknownActor as nobodyKnown, usersOf } from "../rule/actor.ts";
import type { Decision, Gate } from "../rule/gate.ts";
import type { WatchPath } from "../rule/rule.ts";
import { programsOf } from "./distrusted-commands.ts";
import { placeAt, statusOf } from "./gate-places.ts";
import { tryGates } from "./gate-trial.ts";
import type { Mounts } from "./remote-mounts.ts";
import type { LoadedFile, PlacedGate } from "./source.ts";
import { Places, type Span } from "./span.ts";
import { type Accounts, unknownActor, unknownUser } from "./unknown-user.ts";
import { whyShadowed } from "./gate-shadow.ts";

/** Something that facron, or whoever looks after it, has to be able to open. */
export interface OwnPath {
  /** Absolute. */
  readonly path: string;
  /** As a message goes on behind its path: "facron itself". */
  readonly what: string;
  readonly isDirectory?: boolean;
}

interface GateInspectionOptions {
  readonly accounts: Accounts;
  readonly mounts: Mounts;
  readonly ours: readonly OwnPath[];
  /** What keeps the kernel from asking about a path, as behind a colon; null: nothing. */
  readonly whyNoGates: (path: Uint8Array) => string | null;
}

export class GateInspection {
  readonly #options: GateInspectionOptions;
  /** Those above, of all files. */
  readonly #before: Gate[] = [];

  constructor(options: GateInspectionOptions) {
    this.#options = options;
  }

  warningsIn(file: LoadedFile): ConfigProblem[] {
    const places = new Places(file);
    return file.gates.flatMap((placed) => {
      const found = this.#about(placed);
      this.#before.push(placed.gate);
      return found.map(([span, message]) => places.problem(span, message));
    });
  }

  #about(placed: PlacedGate): [Span, string][] {
    const { gate, places: at } = placed;
    const said: [Span | null | undefined, string | null][] = [
      [at.head, process.geteuid!() === 0 ? null : needsRoot],
      ...gate.watch.flatMap((watch, index) =>
        this.#aboutPath(watch).map((message) => [at.watch[index], message] as [Span, string]),
      ),
      ...this.#aboutUsers(placed),
      ...this.#aboutOwn(gate).map((message) => [at.watch[0], message] as [Span, string]),
      [at.scope, gate.scope === "mount" && gate.decision.kind !== "allow" ? ofMount : null],
      [at.head, whyShadowed(gate, this.#before)],
    ];
    return said.flatMap(([span, message]): [Span, string][] =>
      message === null ? [] : [[span ?? at.head, message]],
    );
  }

  #aboutPath({ path, isGlob, recursive }: WatchPath): string[] {
    if (isGlob === true) return [];
    const shown = quoted(path);
    if (path.length === 1 && recursive) return [ofAll];
    const why = this.#options.whyNoGates(path);
    if (why !== null) return [`No gate can be on ${shown}: ${why}`];
    const mount = this.#options.mounts.of(path);
    const served =
      mount === null
        ? []
        : [
            `Path ${shown} is on ${mount.type}: only what is done through this mount is decided, not what others do to its files`,
          ];
    const missing =
      statusOf(path) === null
        ? [
            `Path ${shown} is not there yet: the gate is for it as soon as it appears; correct it if it never will`,
          ]
        : [];
    return [...missing, ...served];
  }

  #aboutUsers({ gate, places: at }: PlacedGate): [Span | null | undefined, string | null][] {
    const { accounts } = this.#options;
    const { decision, actor } = gate;
    const { runAs, surroundings } = decision.kind === "ask" ? decision : {};
    const cwd = surroundings?.cwd;
    const noDirectory =
      cwd === undefined || statusOf(utf8(cwd))?.isDirectory() === true
        ? null
        : `No directory ${quoted(cwd)}: the command fails until there is one, and on_error decides`;
    const failing = "the command fails until there is one, and on_error decides";
    return [
      [at.user, runAs === undefined ? null : unknownUser(runAs.user, accounts, failing)],
      [at.cwd, noDirectory],
      ...(actor === undefined ? [] : usersOf(actor)).map(
        (user) => [at.actor, unknownActor(user, accounts)] as [Span, string | null],
      ),
    ];
  }

  /** What always lets through holds nothing up. */
  #aboutOwn(gate: Gate): string[] {
    const { decision } = gate;
    if (decision.kind === "allow") return [];
    const own = decision.kind === "ask" ? programsOf(decision.command) : [];
    const paths = [
      ...own.map((path) => ({ path, what: "its own command" })),
      ...own.flatMap(interpretersOf).map((path) => ({ path, what: "which its command needs" })),
      ...this.#options.ours,
    ];
    return paths
      .filter((one) => this.#isAbout(gate, one))
      .map(
        ({ path, what }) =>
          `Gate is about ${quoted(path)}, ${what}: facron and its commands are let through, ${forOthers(decision)}; exclude it, or put an allow gate for it above`,
      );
  }

  #isAbout(gate: Gate, { path, isDirectory = false }: OwnPath): boolean {
    const bytes = pathBytes(path);
    const type = isDirectory ? "dir" : "file";
    const { actor: _, ...anybodys } = gate;
    const { decider } = tryGates([...this.#before, anybodys], {
      event: gate.events,
      place: placeAt(bytes),
      facts: { type, size: statusOf(bytes)?.size ?? 0 },
      actor: nobodyKnown,
      uidOf: () => null,
    });
    return decider === anybodys;
  }
}

function forOthers(decision: Decision): string {
  if (decision.kind !== "ask") return "and whoever else wants it is denied";
  const needsAnswer = decision.onError === "deny" || decision.onTimeout === "deny";
  return needsAnswer
    ? "and nobody else unless its command works"
    : "and whoever else wants it waits for an answer";
}

const needsRoot =
  "Gate needs root: the kernel lets only CAP_SYS_ADMIN decide (fanotify_init(2)); run facron as root";

const ofMount =
  'Scope "mount" asks only about what is opened by way of that mount: who makes a mount namespace passes by; scope = "filesystem" or "tree" holds them';

const ofAll =
  'Gate is for all of "/": whatever any program opens waits for it, and a slow answer slows down all of the machine; name the directories that matter';

/** The program in the first line of a script (execve(2)): of `env`, the one that it looks for is not told. */
function interpretersOf(program: string): string[] {
  const buffer = new Uint8Array(256);
  try {
    const fd = openSync(Buffer.from(pathBytes(program)), "r");
    try {
      const length = readSync(fd, buffer);
      const [, path] = /^#![ \t]*(\/[^ \t\n]+)/.exec(latin1(buffer.subarray(0, length))) ?? [];
      return path === undefined || basename(path) === "" ? [] : [path];
    } finally {
      closeSync(fd);
    }
  } catch {
    return [];
  }
}
