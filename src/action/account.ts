/** Whom commands run as: accounts and groups, looked up once for each load of the rules. */
import { SyscallError } from "../../ffi/errno.ts";
import type { Identity } from "../../ffi/credentials.ts";
import { type Account, findAccount, findGroup, groupsOf } from "../../ffi/users.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { RunAs } from "../rule/rule.ts";

const accounts = new Map<string, Account>();
const groups = new Map<string, number>();

/** Users may have come, gone and changed groups: look anew. */
export function forgetAccounts(): void {
  accounts.clear();
  groups.clear();
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
  return orItsGroups(user, () => findAccount(user));
}

function orItsGroups<T>(user: string, look: () => T): T {
  try {
    return look();
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

/** @throws {ActionError} if there is no such group */
export function groupFor(name: string): number {
  const gid = groups.get(name) ?? findGroup(name);
  if (gid === null)
    throw new ActionError(
      `Cannot run with the group ${quoted(name)}: there is no such group; correct the rule, or add the group and reload`,
    );
  groups.set(name, gid);
  return gid;
}

/**
 * What the command has to become; null: nothing else than facron is.
 *
 * With a group, a user has that and the supplementary ones which initgroups(3) gives it then: not the
 * primary group of its own, unless the group lists it. Without a user only the primary group is another
 * one: root keeps what it was started with.
 *
 * @param gid null: the user's own
 * @throws {ActionError} if the groups of the user cannot be looked up
 */
export function identityFor(account: Account | null, gid: number | null): Identity | null {
  if (account === null) {
    return gid === null || gid === process.getegid!() ? null : { uid: null, gid, groups: null };
  }
  if (gid === null) return isOurs(account) ? null : account;
  if (process.geteuid!() !== 0) return identityFor(null, gid);
  const { name, uid } = account;
  return { uid, gid, groups: orItsGroups(name, () => groupsOf(name, gid)) };
}

/** Whether nothing has to be changed: without privilege nothing can be, and root may have other groups. */
function isOurs({ uid, gid, groups: wanted }: Account): boolean {
  if (uid !== process.geteuid!()) return false;
  if (uid !== 0) return true;
  const ours = new Set([process.getegid!(), ...process.getgroups!()]);
  const theirs = new Set(wanted); // with `gid`
  return gid === process.getegid!() && ours.size === theirs.size && ours.isSubsetOf(theirs);
}
