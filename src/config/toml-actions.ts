/** How commands run, as a `[[rule]]` says it and as `[facron]` says it for those that do not. */
import { defaultPolicy, type Policy, type Surroundings } from "../rule/policy.ts";
import type { RunAs } from "../rule/rule.ts";
import type { ActionKeys } from "./toml-action-schema.ts";
import { policyOf, present } from "./toml-policy.ts";
import type { Cgroup, GivenActions, Identity } from "./toml-given.ts";
import { cgroupOf, surroundingsOf } from "./toml-surroundings.ts";
import type { TomlTable } from "./toml-table.ts";

export function actionsOf(given: ActionKeys, table: TomlTable): GivenActions {
  return { policy: policyOf(given, table), ...actionsAround(given, table) };
}

/** Without how runs relate to events and to each other. */
export function actionsAround(given: ActionKeys, table: TomlTable): Omit<GivenActions, "policy"> {
  const { user, clear_env, require_access } = given;
  for (const key of ["user", "group"] as const)
    if (String(given[key]).includes("\0"))
      table.error([key], "Unexpected NUL in a name: remove it");
  return {
    surroundings: surroundingsOf(given, table),
    cgroup: cgroupOf(given, table),
    identity: present<Identity>({ user, clear_env, require_access }),
  };
}

/** What `own` says goes before what `defaults` say; of the environment, each variable for itself. */
export function over(defaults: GivenActions, own: GivenActions): GivenActions {
  const environment = { ...defaults.surroundings.environment, ...own.surroundings.environment };
  const isEmpty = Object.keys(environment).length === 0;
  return {
    policy: { ...defaults.policy, ...own.policy },
    surroundings: {
      ...defaults.surroundings,
      ...own.surroundings,
      ...(isEmpty ? {} : { environment }),
    },
    cgroup: cgroupOver(defaults.cgroup, own.cgroup),
    identity: { ...defaults.identity, ...own.identity },
  };
}

function cgroupOver(defaults: Cgroup | null, own: Cgroup | null): Cgroup | null {
  if (own === null || own === false) return own ?? defaults;
  return { ...(defaults === false ? null : defaults), ...own };
}

/** What a rule with a command gets of it. What is as it would be anyhow is left out. */
export interface RuleActions {
  readonly runAs?: RunAs;
  readonly policy?: Policy;
  readonly surroundings?: Surroundings;
}

export function ruleActions(given: GivenActions): RuleActions {
  const { user, clear_env = false, require_access = false } = given.identity;
  const { session, output, ...plain } = given.surroundings;
  const surroundings: Surroundings = {
    ...plain,
    ...(clear_env && user === undefined ? { clearsEnvironment: true } : {}),
    ...(session === true ? { session } : {}),
    ...(given.cgroup ? { cgroup: given.cgroup } : {}),
    ...(output === undefined || output.kind === "inherit" ? {} : { output }),
  };
  const runAs = user === undefined ? undefined : String(user);
  return {
    ...(runAs === undefined
      ? {}
      : { runAs: { user: runAs, clearsEnvironment: clear_env, needsAccess: require_access } }),
    ...(isDefault(given.policy) ? {} : { policy: { ...defaultPolicy, ...given.policy } }),
    ...(Object.keys(surroundings).length === 0 ? {} : { surroundings }),
  };
}

function isDefault(policy: Partial<Policy>): boolean {
  const keys = Object.keys(policy) as (keyof Policy)[];
  return keys.every((key) => policy[key] === defaultPolicy[key]);
}
