/** What is odd about rules as things are now: the warnings of `facron check` that need a look around. */
import { dirname } from "node:path";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import type { ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import { effectOfNotKnowing, usersOf } from "../rule/actor.ts";
import { whyNeverMet } from "../rule/reach.ts";
import type { Rule, WatchPath } from "../rule/rule.ts";
import type { LoadedFile, PlacedRule } from "./source.ts";
import { type Accounts, unknownActor, unknownUser } from "./unknown-user.ts";
import { statusOf } from "./gate-places.ts";
import { GateInspection, type OwnPath } from "./inspect-gates.ts";
import { Mounts } from "./remote-mounts.ts";
import { Places } from "./span.ts";

export interface Around {
  readonly accounts: Accounts;
  /** What gates should leave alone. */
  readonly ours: readonly OwnPath[];
  /** What keeps the kernel from asking about an absolute path, as behind a colon; null: nothing. */
  readonly whyNoGates: (path: Uint8Array) => string | null;
}

/** In the order of the files. */
export function inspect(files: readonly LoadedFile[], around: Around): ConfigProblem[] {
  const mounts = new Mounts();
  const inspection = new Inspection(around.accounts, mounts);
  const gates = new GateInspection({ ...around, mounts });
  return files.flatMap((file) => [...inspection.warningsIn(file), ...gates.warningsIn(file)]);
}

/** Far more than anyone reads; each shows its line, and a line can be long. */
const warningsMax = 1_000;

class Inspection {
  readonly #accounts: Accounts;
  #found = 0;
  readonly #mounts: Mounts;
  /** Rules by what they are, without their names. */
  readonly #seen = new Map<string, string>();

  constructor(accounts: Accounts, mounts: Mounts) {
    this.#accounts = accounts;
    this.#mounts = mounts;
  }

  warningsIn(file: LoadedFile): ConfigProblem[] {
    const places = new Places(file);
    return file.rules.flatMap((placed) => {
      if (this.#found > warningsMax) return [];
      const { rule, places: at } = placed;
      const paths = rule.watch
        .slice(0, warningsMax)
        .flatMap((watch, index) =>
          this.#aboutPath(placed, watch).map((message) =>
            places.problem(at.watch[index] ?? at.head, message),
          ),
        );
      this.#found += paths.length;
      const user = this.#aboutUser(rule);
      const actor = this.#aboutActor(rule);
      const directory = aboutDirectory(rule);
      const output = aboutOutput(rule);
      const twin = this.#aboutTwin(rule);
      return [
        ...paths,
        ...(user === null ? [] : [places.problem(at.user ?? at.head, user)]),
        ...(directory === null ? [] : [places.problem(at.cwd ?? at.head, directory)]),
        ...(output === null ? [] : [places.problem(at.output ?? at.head, output)]),
        ...actor.map((message) => places.problem(at.actor ?? at.head, message)),
        ...(twin === null ? [] : [places.problem(at.head, twin)]),
      ];
    });
  }

  #aboutPath({ rule }: PlacedRule, watch: WatchPath): string[] {
    if (watch.isGlob === true) return [];
    const shown = quoted(watch.path);
    const status = statusOf(watch.path);
    const messages: string[] = [];
    if (status === null)
      messages.push(
        `Path ${shown} is not there yet: it is watched as soon as it appears; correct it if it never will`,
      );
    const never = status === null ? null : whyNeverMet(rule.condition, status.isDirectory());
    if (never !== null) messages.push(`Rule never fires for ${shown}: ${never}`);
    const mount = this.#mounts.of(watch.path);
    if (mount?.isRemote === true)
      messages.push(
        `Path ${shown} is on ${mount.type}: what other machines change there is not seen by this kernel; run facron where the files are`,
      );
    if (rule.backend === "fanotify" && process.geteuid!() !== 0)
      messages.push(
        `Path ${shown} needs root: fanotify is for root only; run facron as root, or write the events without FAN_`,
      );
    return messages;
  }

  #aboutUser({ runAs }: Rule): string | null {
    if (runAs === undefined) return null;
    return unknownUser(runAs.user, this.#accounts, "the command fails until there is one");
  }

  #aboutActor({ actor, backend }: Rule): string[] {
    if (actor === undefined) return [];
    const effect = effectOfNotKnowing(actor);
    const inotify = `Rule ${effect}: inotify does not tell who did it; write the events without IN_ and backend, and run facron as root`;
    const users = usersOf(actor).flatMap((user) => unknownActor(user, this.#accounts) ?? []);
    return [...(backend === "inotify" ? [inotify] : []), ...users];
  }

  #aboutTwin({ name, ...rest }: Rule): string | null {
    const key = JSON.stringify(rest, (_, value: unknown) =>
      value instanceof Uint8Array ? latin1(value) : value,
    );
    const other = this.#seen.get(key);
    if (other === undefined) this.#seen.set(key, name);
    if (other === undefined) return null;
    const what =
      rest.command === null
        ? "each event is written with both names"
        : "each event runs the command twice";
    return `Rule is the same as ${quoted(other)}: ${what}; remove one of the two`;
  }
}

function aboutDirectory({ surroundings }: Rule): string | null {
  const cwd = surroundings?.cwd;
  if (cwd === undefined || statusOf(utf8(cwd))?.isDirectory() === true) return null;
  return `No directory ${quoted(cwd)}: the command fails until there is one`;
}

function aboutOutput({ surroundings }: Rule): string | null {
  const output = surroundings?.output;
  if (output?.kind !== "file") return null;
  const { path } = output;
  if (statusOf(utf8(path))?.isDirectory() === true)
    return `Output ${quoted(path)} is a directory: the command fails; name a file in it`;
  const directory = dirname(path);
  if (statusOf(utf8(directory))?.isDirectory() === true) return null;
  return `No directory ${quoted(directory)} for the output: the command fails until there is one`;
}
