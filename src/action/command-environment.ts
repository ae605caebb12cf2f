/** The environment of commands: facron's own or none, the user's, what the rule adds, and what tells of the event. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { StringVector } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { givenEnvironment } from "../environment.ts";
import { withoutEventVariables } from "../rule/event-environment.ts";
import type { Surroundings } from "../rule/policy.ts";

/** crond's and incron's: enough to find the usual programs, nothing that the user did not choose. */
const usualPath = "/usr/local/bin:/usr/bin:/bin";

/** What stays the same from one command of a rule to the next. */
export class CommandEnvironment {
  readonly #strings: readonly Uint8Array[];
  readonly #vector: StringVector;

  /** @param strings `NAME=value` */
  constructor(strings: readonly Uint8Array[]) {
    this.#strings = strings;
    this.#vector = new StringVector().keep(strings);
  }

  /** For the call that follows. @param variables what tells of the event */
  vector(variables: readonly Uint8Array[]): StringVector {
    return this.#vector.set(variables);
  }

  strings(variables: readonly Uint8Array[]): Uint8Array[] {
    return [...this.#strings, ...variables];
  }
}

const nobody = {};
const nothing: Surroundings = {};

/** By account, then by surroundings: both live as long as the rules that were loaded with them. */
const known = new WeakMap<object, WeakMap<Surroundings, CommandEnvironment[]>>();

/** @param clears nothing of facron's own */
export function environmentFor(
  account: Account | null,
  surroundings: Surroundings | null,
  clears: boolean,
): CommandEnvironment {
  const found = knownOf(account ?? nobody, surroundings ?? nothing);
  return (found[clears ? 1 : 0] ??= new CommandEnvironment(
    stringsOf(account, surroundings?.environment ?? {}, clears),
  ));
}

function knownOf(account: object, surroundings: Surroundings): CommandEnvironment[] {
  let ofAccount = known.get(account);
  if (ofAccount === undefined) known.set(account, (ofAccount = new WeakMap()));
  let found = ofAccount.get(surroundings);
  if (found === undefined) ofAccount.set(surroundings, (found = []));
  return found;
}

function stringsOf(
  account: Account | null,
  added: Readonly<Record<string, string>>,
  clears: boolean,
): Uint8Array[] {
  const given = clears ? [] : withoutEventVariables(givenEnvironment());
  const own = { ...ownOf(account, clears), ...added };
  const names = new Set(Object.keys(own).map((name) => latin1(utf8(name))));
  const kept = given.filter((entry) => {
    const text = latin1(entry);
    return !names.has(text.slice(0, text.indexOf("=")));
  });
  const others = Object.entries(own).map(([name, value]) => utf8(`${name}=${value}`));
  return [...kept, ...withoutEventVariables(others)];
}

/** Without a user and without facron's there is PATH, and nothing else. */
function ownOf(account: Account | null, clears: boolean): Record<string, string> {
  if (account === null) return clears ? { PATH: usualPath } : {};
  const { name, home, shell } = account;
  const user = {
    HOME: home,
    USER: name,
    LOGNAME: name,
    SHELL: shell === "" ? "/bin/sh" : shell,
  };
  return clears ? { ...user, USERNAME: name, PATH: usualPath } : user;
}
