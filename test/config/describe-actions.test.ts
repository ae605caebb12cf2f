/** How commands run, as `facron explain` says it. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { describeRule } from "../../src/config/describe.ts";
import { parseToml } from "../../src/config/toml.ts";

/** What stands in parentheses behind the command, clause by clause. */
function clausesOf(keys: string): string[] {
  const text = `[[rule]]\nname = "a"\nwatch = "/a"\non = "create"\nrun = ["/bin/x"]\n${keys}`;
  const { rules } = parseToml({ file: "t.toml", bytes: utf8(text), cwd: "/cwd" });
  const sentence = describeRule(rules[0]!.rule);
  return /runs \/bin\/x(?: as \w+)? ?\(?(.*?)\)?$/.exec(sentence)![1]!.split("; ");
}

describe("a rule is described with", () => {
  const cases: readonly (readonly [keys: string, ...clauses: string[]])[] = [
    ["max_running = 4", "at most 4 at once"],
    ['order = "none"', "in no order"],
    ['order = "rule"\nwhen_busy = "skip"', "one after the other", "not while its command runs"],
    ['when_busy = "skip"', "not while its command runs for that path"],
    ['when_busy = "restart"', "a command that runs for that path is stopped and started anew"],
    [
      'when_busy = "signal"\nbusy_signal = "usr1"\norder = "rule"',
      "one after the other",
      "a command that runs gets SIGUSR1 instead",
    ],
    ['when_busy = "merge"', "what comes while its command runs for that path is one more run"],
    ["max_queued = 10", "10 may wait, then nothing more is read"],
    ['when_full = "drop_new"', "1000000 may wait, then new ones are dropped"],
    ['settle = "500ms"', "after 500ms without another event of the path"],
    [
      'settle = "500ms"\nsettle_max = "1m"',
      "after 500ms without another event of the path, or 1m after the first",
    ],
    ['throttle = "1m"', "one start for a path in 1m"],
    [
      'batch = { max = 10, wait = "2s" }\nstdin = "paths0"',
      "up to 10 events of 2s in one run",
      "the paths on stdin, a NUL behind each",
    ],
    ['stdin = "json"', "the events as JSON on stdin"],
    ['timeout = "5m"', "after 5m it gets SIGTERM, and SIGKILL 5s later"],
    ['stop_signal = "INT"', "stopped by SIGINT, and SIGKILL 5s later"],
    ["retry = { times = 1 }", "once more if it fails, after 1s and up to 5m"],
    [
      'retry = { times = 3, on = [75, "signal", "timeout", "not-started"] }',
      "3 more times if it exits 75 or is ended by a signal or takes too long or cannot be started, after 1s and up to 5m",
    ],
    ['on_failure = ["/bin/y", "{error}"]', "if it fails for good, runs /bin/y {error}"],
    ['loop = "allow"', "also for what it does itself"],
    ["durable = true", "each event is kept on disk until its run succeeded"],
    ['group = "www"\ncwd = "work"', "group www", 'in "/cwd/work"'],
    ['env = { A = "b c" }\nclear_env = true', "nothing of facron's environment", 'with A="b c"'],
    ['umask = "027"\nnice = -5\nsession = true', "umask 027", "nice -5", "a session of its own"],
    ["cgroup = true", "a cgroup of its own"],
    ["pids_max = 9", "a cgroup of its own with at most 9 processes"],
    ['output = "log"', "its output goes into the log"],
    ['output = "null"', "its output is dropped"],
    ['output = "./a.log"', 'its output is appended to "/cwd/a.log"'],
    ['output = "inherit"', ""],
  ];
  for (const [keys, ...clauses] of cases)
    test(keys.replaceAll("\n", ", "), () => expect(clausesOf(keys)).toEqual(clauses));
});
