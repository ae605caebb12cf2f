/** The claims on one path become what its table has to want there. */
import { Interests } from "../rule/matcher.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import type { RootWants } from "../watch/roots.ts";
import type { Claim } from "./claims.ts";

export function wantsOf(rules: RuleSet, claims: readonly Claim[]): RootWants {
  const top = claims.map(({ rule, names }) => {
    return names === null
      ? { rule, self: true, children: true }
      : { rule, self: false, children: true, names };
  });
  const deep = claims.filter(({ recursive }) => recursive);
  const seesHidden = deep.filter(({ skipsHidden }) => !skipsHidden);
  const below = belowOf(rules, deep);
  const belowHidden = seesHidden.length === deep.length ? below : belowOf(rules, seesHidden);
  const isStrict = claims.every(({ planned }) => planned.backend !== "auto");
  const scope = claims.some(isForFilesystem) ? "filesystem" : "tree";
  return { top: new Interests(rules, top), below, belowHidden, isStrict, scope };
}

/** Null: nobody wants anything of what is in sub-directories. */
function belowOf(rules: RuleSet, claims: readonly Claim[]): Interests | null {
  if (claims.length === 0) return null;
  const list = claims.map(({ rule }) => ({ rule, self: false, children: true }));
  return new Interests(rules, list);
}

/** The rule asks by name for its filesystem to be watched as a whole. */
export function isForFilesystem({ planned, recursive }: Claim): boolean {
  return recursive && planned.scope === "filesystem";
}
