/** check, explain, convert and schema, as they are typed. */
import { describe, expect, test } from "bun:test";
import { requires } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { answerTo, nobody } from "./support.ts";

const rootTest = requires({ root: "chowns files" });

describe("facron check", () => {
  test("says nothing but the sum of a configuration that is fine, and exits with 0", async () => {
    const dir = tempDir();
    const file = dir.write("facron.toml", `[[rule]]\nwatch = "${dir.path}"\non = "create"\n`);
    const { code, stdout, stderr } = await answerTo(["check", file]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "1 rule in 1 file, 0 errors, 0 warnings\n",
      stderr: "",
    });
  });

  test("lists every error of every file, and exits with 2", async () => {
    const dir = tempDir();
    dir.write("a.toml", '[[rule]]\nwatch = "/a"\nonn = "create"\n');
    dir.write("b.conf", "/f FAN_OPNE\n/g IN_CREAT\n");
    dir.mkdir("incron.d");
    dir.write("incron.d/c", "/h IN_CREATE eval $#\n");
    dir.write(
      "all.toml",
      '[facron]\ninclude = ["a.toml", "b.conf", "incron.d/*", "gone.conf", "*.none", "[c"]\n',
    );
    const { code, stdout } = await answerTo(["check", "all.toml"], { cwd: dir.path });
    expect(code).toBe(2);
    const heads = stdout.split("\n").filter((line) => /^\S+:\d+:\d+: /.test(line));
    expect(heads.map((line) => line.replaceAll(`${dir.path}/`, ""))).toEqual([
      'a.toml:1:1: Missing key on in this rule: add it, e.g. on = "close_write"',
      'a.toml:3:1: Unknown key "onn": did you mean on?',
      'b.conf:1:4: Unknown event "FAN_OPNE": did you mean FAN_OPEN?',
      'b.conf:2:4: Unknown event "IN_CREAT": did you mean IN_CREATE?',
      expect.stringMatching(/^incron\.d\/c:1:\d+: .*\beval\b/),
      'all.toml:2:46: Cannot include "gone.conf": no such file; create it, or correct the path',
      'all.toml:2:69: Missing "]" in the pattern: close it, or write \\[ for a bracket in a name',
    ]);
    expect(stdout).toEndWith("7 errors, 0 warnings\n");
  });

  test("warns of what is odd, and exits with 0", async () => {
    const dir = tempDir();
    dir.mkdir("d");
    const text = [
      "[[rule]]",
      `watch = "${dir.path}/not/there"`,
      'on = "create"',
      "[[rule]]",
      `watch = "${dir.path}/d"`,
      'on = "FAN_OPEN"',
      'run = ["/no/such/program"]',
      "user = 'nobdy'",
      "cwd = '/no/such/directory'",
      `output = "${dir.path}/d"`,
      "[[rule]]",
      `watch = "${dir.path}/d"`,
      'on = "create"',
      "[[rule]]",
      `watch = "${dir.path}/d"`,
      'on = "create"',
      "[[rule]]",
      `watch = "${dir.path}/d"`,
      'on = "delete"',
      'run = ["/bin/true"]',
      "output = '/no/such/directory/log'",
      "",
    ].join("\n");
    const { code, stdout } = await answerTo(["check", dir.write("facron.toml", text)]);
    expect(code).toBe(0);
    for (const says of [
      /:2:9: warning: Path ".*there" is not there yet/,
      /:5:9: warning: Rule never fires for ".*": it is a directory, and its files do not count/,
      /:7:8: warning: Cannot run "\/no\/such\/program": no such file/,
      /:8:8: warning: Unknown user "nobdy": did you mean "nobody"\?/,
      /:9:7: warning: No directory "\/no\/such\/directory": the command fails until/,
      /:10:10: warning: Output ".*\/d" is a directory: the command fails; name a file in it/,
      /:14:1: warning: Rule is the same as "facron.toml:11"/,
      /:21:10: warning: No directory "\/no\/such\/directory" for the output: the command fails until/,
    ])
      expect(stdout).toMatch(says);
  });

  test("--json is one object with every problem", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", " /off FAN_OPEN\n/f FAN_OPNE\n");
    const { code, stdout } = await answerTo(["check", "--json", file]);
    const { ok, problems } = JSON.parse(stdout);
    expect({ code, ok }).toEqual({ code: 2, ok: false });
    expect(problems).toMatchObject([{ severity: "error", file, line: 2, column: 4, length: 8 }]);
  });

  test("refuses files that include each other, and twins of a name", async () => {
    const dir = tempDir();
    dir.write(
      "a.toml",
      '[facron]\ninclude = ["b.toml"]\n[[rule]]\nname = "x"\nwatch = "/a"\non = "create"\n',
    );
    dir.write(
      "b.toml",
      '[facron]\ninclude = ["a.toml"]\n[[rule]]\nname = "x"\nwatch = "/b"\non = "create"\n',
    );
    const { code, stdout } = await answerTo(["check", "a.toml"], { cwd: dir.path });
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /b\.toml:2:12: Cannot include ".*a\.toml": it includes this file, in a circle/,
    );
    expect(stdout).toMatch(/b\.toml:4:8: Rule "x" is there already in a\.toml/);
  });

  rootTest("refuses, for root, what others can write", async () => {
    const dir = tempDir();
    const script = dir.write("script", "#!/bin/sh\n");
    Bun.spawnSync(["chmod", "777", script]);
    const file = dir.write("facron.conf", `/f FAN_OPEN ${script}\n`, { mode: 0o644 });
    const program = await answerTo(["check", file]);
    expect(program.stdout).toMatch(
      /:1:13: Cannot trust ".*script": it can be written by everybody, .*run chmod o-w/,
    );
    const rule = `[[rule]]\nwatch = "/f"\non = "open"\nrun = ["/bin/true"]\n`;
    const toml = dir.write("a.toml", `${rule}on_failure = ["${script}"]\n`, { mode: 0o644 });
    expect((await answerTo(["check", toml])).stdout).toMatch(/:5:15: Cannot trust ".*script"/);
    Bun.spawnSync(["chmod", "755", script]);
    expect((await answerTo(["check", file])).code).toBe(0);
    Bun.spawnSync(["chown", String(nobody.uid), file]);
    const owned = await answerTo(["check", file]);
    expect(owned.stdout).toMatch(
      /^Cannot trust ".*facron\.conf": it belongs to nobody, .*run chown root/,
    );
    Bun.spawnSync(["chown", "root", file]);
    Bun.spawnSync(["chmod", "777", dir.path]);
    const replaceable = await answerTo(["check", file]);
    expect(replaceable.stdout).toMatch(/its directory ".*" can be written by everybody/);
    Bun.spawnSync(["chmod", "755", dir.path]);
    Bun.spawnSync(["chown", String(nobody.uid), dir.path]);
    const elsewhere = await answerTo(["check", file]);
    expect(elsewhere.stdout).toMatch(/belongs to nobody, .* move it to a directory of root's/);
  });
});

describe("facron explain", () => {
  const table = [
    "/etc/x FAN_MODIFY|FAN_CLOSE_WRITE,FAN_OPEN /bin/cmd $$",
    "/srv/in close_write,moved_to /bin/import $$ '$#'",
    "/srv/out IN_CREATE",
    "",
  ].join("\n");

  test("says what each rule does in a sentence", async () => {
    const dir = tempDir();
    const { stdout } = await answerTo(["explain", dir.write("t.conf", table)]);
    expect(stdout).toBe(
      [
        't.conf:1: when "/etc/x" (directories do not count) has been both modified and closed after writing since that last happened or is opened: runs /bin/cmd {path} (fanotify, needs root)',
        't.conf:2: when "/srv/in" or anything in it is closed after writing or is renamed to here: runs /bin/import {path} {name}',
        't.conf:3: when "/srv/out" or anything in it is created: writes the event to stdout, and runs nothing (inotify)',
        "",
      ].join("\n"),
    );
  });

  test("--event says what would be run, and why the rest would not", async () => {
    const dir = tempDir();
    const file = dir.write("t.conf", table);
    const words = ["explain", "-c", file, "--event", "close_write", "/srv/in/a b.csv"];
    const { stdout } = await answerTo(words, { cwd: "/" });
    expect(stdout).toContain(
      [
        't.conf:1 does not fire: it watches "/etc/x", and the path is not in there',
        't.conf:2 fires for "/srv/in/a b.csv"',
        "  runs         /bin/import '/srv/in/a b.csv' 'a b.csv'",
        "  user         that of facron",
        "  directory    / (where facron is started; / with --daemon)",
        "  environment  facron's own, and",
        "               FACRON_PATH='/srv/in/a b.csv'",
      ].join("\n"),
    );
    expect(stdout).toContain('t.conf:3 does not fire: it watches "/srv/out"');
  });

  const cases: readonly [rule: string, event: string, path: string, says: RegExp][] = [
    ["/d FAN_CLOSE_WRITE", "close_write", "/d/f", /does not fire: .*add \|FAN_EVENT_ON_CHILD/],
    ["/d FAN_CREATE", "create", "/d/f", /fires for/],
    [
      "/d open|modify",
      "modify",
      "/d/f",
      /does not fire: it needs more to happen to that path first/,
    ],
    ["/d open", "modify", "/d/f", /does not fire: it waits for open/],
    ["/d open", "open", "/d/e/f", /does not fire: the path is 2 levels below "\/d"/],
  ];
  test.each(cases)("%s, %s of %s", async (rule, event, path, says) => {
    const dir = tempDir();
    const file = dir.write("t.conf", `${rule}\n`);
    expect((await answerTo(["explain", "-c", file, "--event", event, path])).stdout).toMatch(says);
  });
});

describe("facron explain says which filter leaves an event out", () => {
  const rule = (watch: string): string =>
    [
      `[[rule]]\nname = "in"\nwatch = "${watch}"\nrecursive = true\non = ["close_write", "rename"]`,
      `include = ["*.csv", "in/**"]\nexclude = ["*.part", "node_modules/"]`,
      `type = "file"\nmin_size = "1kB"\nignore_files = ".ignore"\n`,
    ].join("\n");

  const cases: readonly [words: string, answer: string][] = [
    ["close_write D/a.csv", 'in fires for "D/a.csv"'],
    ["close_write D/a.part", 'in does not fire: left out by exclude "*.part"'],
    ["close_write D/node_modules/x/a.csv", 'in does not fire: left out by exclude "node_modules/"'],
    ["close_write D/a.txt", 'in does not fire: left out by include: it is not "*.csv" or "in/**"'],
    ["close_write D/in/x/a.txt", 'in fires for "D/in/x/a.txt"'],
    ["close_write --directory D/a.csv", 'in does not fire: left out by type: it is not "file"'],
    ["close_write D/small.csv", "in does not fire: left out by min_size: it is smaller than 1 kB"],
    ["close_write D/sub/x.csv", 'in does not fire: left out by ignore file D/sub/.ignore:2, "/x*"'],
    ["close_write E/a.csv", 'in does not fire: it watches "D", and the path is not in there'],
    ["rename --from D/a.part D/a.csv", 'in fires for "D/a.csv"'],
    ["rename --from D/a.csv D/a.part", 'in fires for "D/a.part"'],
    ["rename --from D/b.part D/a.part", 'in does not fire: left out by exclude "*.part"'],
  ];
  test.each(cases)("%s: %s", async (words, answer) => {
    const dir = tempDir();
    dir.write("D/small.csv", "x".repeat(999));
    dir.write("D/sub/.ignore", "# comment\n/x*\n");
    const file = dir.write("t.toml", rule("D"));
    const { stdout } = await answerTo(["explain", "-c", file, "--event", ...words.split(" ")], {
      cwd: dir.path,
    });
    expect(stdout.split("\n")[0]!.replaceAll(`${dir.path}/`, "")).toBe(answer);
  });

  test("and the sentence about the rule names them", async () => {
    const dir = tempDir();
    const { stdout } = await answerTo(["explain", dir.write("t.toml", rule("/D"))]);
    expect(stdout).toEndWith(
      '(only "*.csv" or "in/**"; not "*.part" or "node_modules/"; only files; ' +
        'only files of at least 1 kB; not what ".ignore" ignores)\n',
    );
  });
});

describe("explain and the daemon agree", () => {
  test("on which rules fire, and with which arguments", async () => {
    const dir = tempDir();
    for (const name of ["d", "d/sub", "d/.hidden", "d/sub/deep"]) dir.mkdir(name);
    const rules: readonly [name: string, keys: string][] = [
      ["plain", 'watch = "DIR/d"'],
      ["recursive", 'watch = "DIR/d"\nrecursive = true'],
      ["no-dots", 'watch = "DIR/d"\nrecursive = true\ndot_directories = false'],
      ["file-glob", 'watch = "DIR/d/*.csv"'],
      ["dir-glob", 'watch = "DIR/d/s*"'],
      ["file", 'watch = "DIR/d/a.csv"'],
      ["other", 'watch = "DIR/other"'],
    ];
    const text = rules.map(
      ([name, keys]) => `[[rule]]\nname = "${name}"\n${keys}\non = "close_write"\n`,
    );
    const file = dir.write("facron.toml", text.join("").replaceAll("DIR", dir.path));
    const paths = ["d/a.csv", "d/b.txt", "d/sub/c.csv", "d/.hidden/d.csv", "d/sub/deep/e.csv"];
    for (const path of paths) dir.write(path, "");
    const explained = await answerTo([
      ...["explain", "-c", file, "--json", "--event", "close_write"],
      ...paths.map((path) => dir.join(path)),
    ]);
    const answers = JSON.parse(explained.stdout).paths as {
      path: string;
      rules: { rule: string; fires: boolean }[];
    }[];
    await using facron = await runBinary(["-c", file]).ready();
    for (const path of paths) dir.write(path, "text");
    const last = dir.join(paths.at(-1)!);
    await facron.waitForEvent("the last file", (event) => event.path === last);
    for (const { path, rules: expected } of answers) {
      const met = facron.events
        .filter((event) => event.path === path)
        .flatMap((event) => event["rules"] as string[]);
      const should = expected.filter(({ fires }) => fires).map(({ rule }) => rule);
      expect([path, [...new Set(met)].sort()]).toEqual([path, should.sort()]);
    }
  });
});

test("facron convert gives TOML that facron explains as it explains the table", async () => {
  const dir = tempDir();
  const table =
    '# import\n/srv/in FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD,FAN_MOVED_TO /bin/import $$ "a {b}" $+\n\n /off IN_OPEN\n"/with * star" close\n';
  const file = dir.write("t.conf", table);
  const converted = await answerTo(["convert", file]);
  expect(converted.code).toBe(0);
  expect(converted.stdout).toStartWith('# import\n[[rule]]\nname = "t.conf:2"\n');
  const toml = dir.write("t.toml", converted.stdout);
  expect((await answerTo(["explain", toml])).stdout).toBe(
    (await answerTo(["explain", file])).stdout,
  );
});

test("facron schema is JSON Schema that names every key", async () => {
  const { code, stdout } = await answerTo(["schema"]);
  const schema = JSON.parse(stdout);
  expect([code, schema.$schema]).toEqual([0, "https://json-schema.org/draft/2020-12/schema"]);
  const rule = schema.properties.rule.items;
  expect(Object.keys(rule.properties)).toContain("watch");
  for (const key of Object.values<{ description?: string }>(rule.properties))
    expect(key.description).toBeString();
  expect([rule.required, rule.additionalProperties]).toEqual([["watch", "on"], false]);
});
