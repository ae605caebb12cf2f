/** What a `[[rule]]` or `[facron]` says of how commands run, and no more: what is not there, another may say. */
import type { CgroupLimits, Policy, Surroundings } from "../rule/policy.ts";
import type { ActionKeys } from "./toml-action-schema.ts";

export interface GivenActions {
  readonly policy: Partial<Policy>;
  readonly surroundings: PlainSurroundings;
  readonly cgroup: Cgroup | null;
  readonly identity: Identity;
}

/** Without what several keys say together. */
export type PlainSurroundings = Partial<Omit<Surroundings, "cgroup" | "clearsEnvironment">>;

/** False: none of its own, whatever else is said. */
export type Cgroup = CgroupLimits | false;

export type Identity = Pick<ActionKeys, "user" | "clear_env" | "require_access">;

export const nothingGiven: GivenActions = {
  policy: {},
  surroundings: {},
  cgroup: null,
  identity: {},
};
