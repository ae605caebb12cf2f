/** The claims on one path become what its table has to want there. */
import { Interests } from "../rule/matcher.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import { withChildren } from "../watch/permission-marks.ts";
import type { RootWants } from "../watch/roots.ts";
import type { Claim } from "./claims.ts";

export function wantsOf(rules: RuleSet, claims: readonly Claim[]): RootWants {
  const top = claims.map((claim) => {
    const { rule, names } = claim;
    const permissions = permissionsOf(claim);
    return names === null
      ? { rule, self: true, children: true, permissions }
      : { rule, self: false, children: true, names, permissions };
  });
  const deep = claims.filter((claim) => claim.recursive && !isWide(claim));
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
  const list = claims.map((claim) => {
    return { rule: claim.rule, self: false, children: true, permissions: permissionsOf(claim) };
  });
  return new Interests(rules, list);
}

/** What the kernel has to hold at the path, if the claim is a gate's. */
function permissionsOf({ planned: { gate }, names }: Claim): number {
  if (gate === undefined || gate.scope !== "tree") return 0;
  return names === null ? gate.mask : withChildren(gate.mask);
}

/** One mark holds all that is below, and more: no tree is needed for it. */
function isWide({ planned: { gate } }: Claim): boolean {
  return gate !== undefined && gate.scope !== "tree";
}

/** The rule asks by name for its filesystem to be watched as a whole. */
export function isForFilesystem({ planned, recursive }: Claim): boolean {
  return recursive && planned.scope === "filesystem";
}
