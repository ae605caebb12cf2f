/** The line of the log that says what is watched. */
import { expect, test } from "bun:test";
import { watchReportText } from "../../src/daemon/report.ts";
import type { WatchReport } from "../../src/reader/plan.ts";

const nothing: WatchReport = {
  rules: 0,
  watched: { inotify: 0, fanotify: 0 },
  polled: { paths: 0, entries: 0 },
  marks: { inotify: 0, fanotify: 0 },
  failed: 0,
  unwatched: 0,
  waiting: 0,
  gated: { paths: 0, marks: 0 },
};

test.each([
  [{}, "watching 0 paths for 0 rules"],
  [
    { rules: 2, watched: { inotify: 0, fanotify: 1 }, marks: { inotify: 0, fanotify: 5 } },
    "watching 1 path for 2 rules: fanotify 1 (5 marks)",
  ],
  [{ gated: { paths: 2, marks: 9 } }, "watching 0 paths for 0 rules, gates on 2 paths (9 marks)"],
  [
    { rules: 1, waiting: 1, gated: { paths: 1, marks: 1 } },
    "watching 0 paths for 1 rule, gates on 1 path (1 mark), waiting for 1 path",
  ],
])("a report of %j", (differs, text) => {
  expect(watchReportText({ ...nothing, ...differs })).toBe(text);
});
