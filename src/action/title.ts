/** What the log calls a rule or a gate. */
import { quoted } from "../log.ts";

interface Named {
  readonly name: string;
}

const titles = new WeakMap<Named, string>();

/** `rule "import"` */
export function ruleTitle(rule: Named): string {
  return titleOf("rule", rule);
}

/** `gate "no exe"` */
export function gateTitle(gate: Named): string {
  return titleOf("gate", gate);
}

/** Quoting costs more than the rest of a log line, and a name does not change. */
function titleOf(kind: "rule" | "gate", of: Named): string {
  const known = titles.get(of);
  if (known !== undefined) return known;
  const title = `${kind} ${quoted(of.name)}`;
  titles.set(of, title);
  return title;
}
