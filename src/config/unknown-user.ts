/** Users that rules name and the system does not know. */
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";

export interface Accounts {
  readonly findAccount: (name: string) => { readonly uid: number } | null;
  readonly accountNames: () => string[];
}

/** A warning, null if there is such a user. @param otherwise what follows if no other can be meant */
export function unknownUser(user: string, accounts: Accounts, otherwise: string): string | null {
  if (accounts.findAccount(user) !== null) return null;
  const meant = didYouMean(user, accounts.accountNames());
  return `Unknown user ${quoted(user)}: ${meant === null ? otherwise : `did you mean ${quoted(meant)}?`}`;
}

/** The same for a user whose processes a rule is about: a uid need not have a name. */
export function unknownActor(user: string, accounts: Accounts): string | null {
  if (/^\d+$/.test(user)) return null;
  return unknownUser(user, accounts, "nobody is meant until there is one and facron reloads");
}
