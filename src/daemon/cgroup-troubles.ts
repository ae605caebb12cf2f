/** Rules whose commands cannot have the cgroup that they ask for: said at each load, and not at the first event. */
import { cgroupTrouble } from "../action/cgroup.ts";
import { quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";

/** One line for each trouble, which names its rules. */
export function cgroupTroubles(rules: readonly Rule[]): string[] {
  const rulesByTrouble = new Map<string, string[]>();
  for (const { name, surroundings } of rules) {
    if (surroundings?.cgroup === undefined) continue;
    const trouble = cgroupTrouble(surroundings.cgroup);
    if (trouble === null) continue;
    rulesByTrouble.set(trouble, [...(rulesByTrouble.get(trouble) ?? []), quoted(name)]);
  }
  return [...rulesByTrouble].map(([trouble, names]) => {
    const which = names.length === 1 ? "rule" : "rules";
    return `${trouble} (${which} ${names.join(", ")}: its commands will not be run)`;
  });
}
