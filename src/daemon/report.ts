/** What is watched, in one line of the log. */
import type { WatchReport } from "../reader/plan.ts";
import type { BackendName } from "../rule/rule.ts";

/** "watching 3 paths for 4 rules: fanotify 2 (15 marks), inotify 1 (1 mark)" */
export function watchReportText({ rules, watched, polled, marks, waiting }: WatchReport): string {
  const paths = watched.fanotify + watched.inotify + polled.paths;
  const backends = (["fanotify", "inotify"] as const satisfies BackendName[])
    .filter((name) => watched[name] > 0)
    .map((name) => `${name} ${watched[name]} (${counted(marks[name], "mark")})`);
  if (polled.paths > 0)
    backends.push(`polling ${polled.paths} (${counted(polled.entries, "entry")})`);
  const how = backends.length === 0 ? "" : `: ${backends.join(", ")}`;
  const rest = waiting === 0 ? "" : `, waiting for ${counted(waiting, "path")}`;
  return `watching ${counted(paths, "path")} for ${counted(rules, "rule")}${how}${rest}`;
}

function counted(count: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}
