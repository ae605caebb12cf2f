/** `[facron]`: what is for all rules, and what holds of those that do not say it themselves. */
import { defaultPolicy } from "../rule/policy.ts";
import type { Settings } from "./source.ts";
import { actionsOf, over } from "./toml-actions.ts";
import type { GivenActions } from "./toml-given.ts";
import { present } from "./toml-policy.ts";
import type { TomlSettings } from "./toml-schema.ts";
import { pathOf } from "./toml-surroundings.ts";
import type { TomlTable } from "./toml-table.ts";
import { refuseTogether } from "./toml-together.ts";

/** Its `max_running` is about all rules together, and no default. */
export function settingsFrom(given: TomlSettings, table: TomlTable): Settings {
  return present<Settings>({
    maxRunning: given.max_running,
    stateDir: pathOf("state_dir", given.state_dir, table),
    gateLog: given.gate_log,
    runtimeDir: pathOf("runtime_dir", given.runtime_dir, table),
  });
}

/** @param outer of the file that includes this one */
export function defaultsOf(
  { max_running: _, ...given }: TomlSettings,
  table: TomlTable,
  outer: GivenActions,
): GivenActions {
  const defaults = over(outer, actionsOf(given, table));
  refuseTogether(given, { ...defaultPolicy, ...defaults.policy }, null, table);
  return defaults;
}
