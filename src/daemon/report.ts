/** What is watched, in one line of the log. */
import type { WatchReport } from "../reader/plan.ts";
import type { BackendName } from "../rule/rule.ts";

/** "watching 3 paths for 4 rules: fanotify 2 (15 marks), inotify 1 (1 mark)" */
export function watchReportText(report: WatchReport): string {
  const { rules, watched, polled, marks, unwatched, waiting, gated } = report;
  const paths = watched.fanotify + watched.inotify + polled.paths;
  const backends = (["fanotify", "inotify"] as const satisfies BackendName[])
    .filter((name) => watched[name] + marks[name] > 0)
    .toSorted((a, b) => Number(watched[b] > 0) - Number(watched[a] > 0))
    .map((name) => {
      const ofName = counted(marks[name], "mark");
      // Below the paths of another backend, which has come to a limit.
      return watched[name] === 0 ? `${ofName} of ${name}` : `${name} ${watched[name]} (${ofName})`;
    });
  if (polled.paths > 0)
    backends.push(`polling ${polled.paths} (${counted(polled.entries, "entry")})`);
  const how = backends.length === 0 ? "" : `: ${backends.join(", ")}`;
  const missing = unwatched === 0 ? "" : `, ${unwatched} not watched`;
  const rest = waiting === 0 ? "" : `, waiting for ${counted(waiting, "path")}`;
  const gates =
    gated.paths === 0
      ? ""
      : `, gates on ${counted(gated.paths, "path")} (${counted(gated.marks, "mark")})`;
  return `watching ${counted(paths, "path")} for ${counted(rules, "rule")}${how}${gates}${missing}${rest}`;
}

/** "1 path", "2 entries" */
export function counted(count: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}
