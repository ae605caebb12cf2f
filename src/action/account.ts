/** Whom commands run as: accounts looked up once for each load of the rules, and their environment. */
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Account, findAccount } from "../../ffi/users.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { RunAs } from "../rule/rule.ts";

/** crond's and incron's: enough to find the usual programs, nothing that the user did not choose. */
const usualPath = "/usr/local/bin:/usr/bin:/bin";

const accounts = new Map<string, Account>();

/** Users may have come, gone and changed groups: look anew. */
export function forgetAccounts(): void {
  accounts.clear();
}

/** @throws {ActionError} if there is no such user, or if we may not become it */
export function accountFor({ user }: RunAs): Account {
  const known = accounts.get(user);
  if (known !== undefined) return known;
  const account = lookUp(user);
  if (account === null)
    throw new ActionError(
      `Cannot run as ${quoted(user)}: there is no such user; correct the rule, or add the user and reload`,
    );
  if (process.geteuid!() !== 0 && account.uid !== process.geteuid!())
    throw new ActionError(
      `Cannot run as ${quoted(user)}: only root may become another user; run facron as root`,
    );
  accounts.set(user, account);
  return account;
}

function lookUp(user: string): Account | null {
  try {
    return findAccount(user);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new ActionError(
      `Cannot run as ${quoted(user)}: its groups cannot be looked up (${error.message}); look at what id says of it`,
      { cause: error },
    );
  }
}

/** Null if there is no such user, or if that can't be found out. */
export function uidOf(user: string): number | null {
  try {
    return findAccount(user)?.uid ?? null;
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}

/** Whether nothing has to be changed: without privilege nothing can be, and root may have other groups. */
export function isOurs({ uid, gid, groups }: Account): boolean {
  if (uid !== process.geteuid!()) return false;
  if (uid !== 0) return true;
  const ours = new Set([process.getegid!(), ...process.getgroups!()]);
  const theirs = new Set(groups); // with `gid`
  return gid === process.getegid!() && ours.size === theirs.size && ours.isSubsetOf(theirs);
}

/** `NAME=value` entries; what facron was started with stays unless the rule clears it. */
export function environmentOf(
  account: Account,
  { clearsEnvironment }: RunAs,
  given: readonly Uint8Array[],
): Uint8Array[] {
  const { name, home, shell } = account;
  const own: Record<string, string> = {
    HOME: home,
    USER: name,
    LOGNAME: name,
    SHELL: shell === "" ? "/bin/sh" : shell,
  };
  if (clearsEnvironment) Object.assign(own, { USERNAME: name, PATH: usualPath });
  const names = Object.keys(own).map((one) => utf8(`${one}=`));
  const startsWith = (entry: Uint8Array, prefix: Uint8Array): boolean =>
    prefix.every((byte, at) => entry[at] === byte);
  const kept = clearsEnvironment
    ? []
    : given.filter((entry) => !names.some((prefix) => startsWith(entry, prefix)));
  return [...kept, ...Object.entries(own).map(([one, value]) => utf8(`${one}=${value}`))];
}
