/** Gates in check, explain, convert and gate test, as they are typed. */
import { describe, expect, test } from "bun:test";
import { realpathSync, symlinkSync } from "node:fs";
import { FuseServer } from "../helpers/fuse-server.ts";
import { requires } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, by, expectRefusal } from "./support.ts";

const rootTest = requires({ root: "gates are root's" });

const gates = `
[[gate]]
name = "packages"
watch = "IN"
recursive = true
on = "open_exec_perm"
actor = { exe = "/usr/bin/dpkg" }
verdict = "allow"

[[gate]]
name = "no exe"
watch = "IN"
recursive = true
on = ["open_perm", "open_exec_perm"]
include = "*.exe"
verdict = "deny"
errno = "EBUSY"

[[gate]]
name = "scan"
watch = "IN"
recursive = true
on = "open_perm"
ask = ["/bin/true", "--as={uid}", "{events}", "{path}"]
user = "root"
on_error = "deny"
`;

function place(text = gates): { dir: TempDir; file: string } {
  const dir = tempDir();
  dir.mkdir("in");
  return { dir, file: dir.write("g.toml", text.replaceAll("IN", dir.join("in"))) };
}

describe("facron gate test", () => {
  test("says which gate decides, what it would run, and why those above it do not", async () => {
    const { dir, file } = place();
    const path = dir.write("in/a b", "text");
    const { code, stdout } = await answerTo(["gate", "test", "-c", file, "--user", "root", path]);
    expect(code).toBe(0);
    expect(stdout.replaceAll(dir.path, "D").split("\n")).toEqual([
      'ask   "D/in/a b" open_perm: by gate scan',
      expect.stringMatching(/^ {2}runs {9}\/bin\/true --as=0 open_perm '.*\/in\/a b'$/),
      "  user         root",
      "  how          allows after 2s without an answer",
      "               denies if it fails",
      "               its answer holds for 10m, while the file is unchanged",
      "               at most 8 at once",
      "  packages does not decide: it decides about open_exec_perm",
      '  no exe does not decide: left out by include: it is not "*.exe"',
      "",
    ]);
  });

  test("exits with 1 if something is denied, and says with which error", async () => {
    const { dir, file } = place();
    const args = ["--on", "open_exec_perm", dir.join("in/x.exe"), dir.join("elsewhere")];
    const { code, stdout } = await answerTo(["gate", "test", "-c", file, ...args]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^deny {2}".*x\.exe" open_exec_perm: by gate no exe, with EBUSY$/m);
    expect(stdout).toMatch(
      /^ {2}packages depends on what is not known: allow, only if done by exe "\/usr\/bin\/dpkg"$/m,
    );
    expect(stdout).toMatch(/^allow ".*elsewhere" open_exec_perm: no gate is about it$/m);
  });

  test("decides as for the program that is named, whatever link leads to it", async () => {
    const { dir, file } = place();
    const args = ["--on", "open_exec_perm", "--exe", "/usr/bin/dpkg", dir.join("in/x.exe")];
    const { code, stdout } = await answerTo(["gate", "test", "-c", file, ...args]);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^allow .* by gate packages\n$/),
    });
    const program = dir.write("program", "");
    const link = dir.join("link");
    symlinkSync("program", link);
    const toml = gates.replace("/usr/bin/dpkg", program).replaceAll("IN", dir.join("in"));
    const other = dir.write("other.toml", toml);
    const through = ["--on", "open_exec_perm", "--exe", link, dir.join("in/x.exe")];
    expect((await answerTo(["gate", "test", "-c", other, ...through])).stdout).toStartWith("allow");
  });

  test("--json is one object, and takes paths that are not UTF-8", async () => {
    const { dir, file } = place();
    const script = `exec "$0" gate test --json -c ${file} "$1/$(printf 'in/a\\351')"`;
    const { stdout } = await answerTo([dir.path], by(script));
    const [answer] = JSON.parse(stdout).answers;
    expect(answer).toMatchObject({
      on: "open_perm",
      decision: "ask",
      gate: "scan",
      user: "root",
      environment: { FACRON_EVENTS: "open_perm", FACRON_GATE: "scan" },
      passed: [{ gate: "packages" }, { gate: "no exe" }],
      depends: [],
    });
    const bytes = Buffer.from(answer.path_bytes, "base64");
    expect(bytes.at(-1)).toBe(0xe9);
    expect(Buffer.from(answer.argv_bytes.at(-1), "base64")).toEqual(bytes);
  });

  test.each([
    [[], /No word after gate: write facron gate test/],
    [["tset", "/x"], /Unknown word "tset" after gate: use test/],
    [["test"], /No PATH to test: facron gate test/],
    [["test", "--on", "open", "/x"], /Cannot use "open": gates decide before it happens; use/],
    [["test", "--on", "opn_perm", "/x"], /Cannot use "opn_perm": .*did you mean open_perm\?/],
    [["test", "--on", ",", "/x"], /Missing event in ","/],
    [["test", "--exe", "sh", "/x"], /Option --exe needs an absolute path: got "sh"/],
    [["test", "--user", "no-such-user", "/x"], /Unknown user "no-such-user": name one/],
  ])("%j is refused", async (words, says) => {
    const { file } = place();
    expectRefusal(await answerTo(["gate", ...words, "-c", file]), says);
  });

  test("is refused where there are no gates", async () => {
    const { file } = place('[[rule]]\nwatch = "IN"\non = "create"\n');
    expectRefusal(
      await answerTo(["gate", "test", "-c", file, "/x"]),
      /No gates in the configuration/,
    );
  });
});

describe("facron explain", () => {
  test("has a sentence for each gate", async () => {
    const { dir, file } = place();
    const { stdout } = await answerTo(["explain", file]);
    expect(stdout.replaceAll(dir.path, "D").trimEnd().split("\n")).toEqual([
      'packages: before "D/in" or anything below it (directories do not count) is executed: allows it (only if done by exe "/usr/bin/dpkg")',
      'no exe: before "D/in" or anything below it (directories do not count) is opened or is executed: denies it with EBUSY (only "*.exe")',
      'scan: before "D/in" or anything below it (directories do not count) is opened: asks /bin/true --as={uid} {events} {path} as root (allows after 2s without an answer; denies if it fails; its answer holds for 10m, while the file is unchanged; at most 8 at once)',
    ]);
    const { gates: said } = JSON.parse((await answerTo(["explain", "--json", file])).stdout);
    expect(said.map(({ gate }: { gate: string }) => gate)).toEqual(["packages", "no exe", "scan"]);
  });

  test.each(["--exe", "--user", "--comm"])("points to gate test for %s", async (option) => {
    const { file } = place();
    expectRefusal(
      await answerTo(["explain", "-c", file, "--event", "open_perm", option, "/bin/sh", "/x"]),
      `Unknown option "${option}": who does it is for gate test, as in facron gate test --on open_perm --user root /srv/in/a.csv`,
    );
  });

  test("--event open_perm says which gate decides, beside what is told afterwards", async () => {
    const { dir, file } = place(`${gates}[[rule]]\nname = "told"\nwatch = "IN"\non = "open"\n`);
    const path = dir.join("in/x.exe");
    const both = await answerTo(["explain", "-c", file, "--event", "open,open_perm", path]);
    expect(both.stdout).toMatch(/^told fires for ".*x\.exe"$/m);
    expect(both.stdout).toMatch(/^deny {2}".*x\.exe" open_perm: by gate no exe, with EBUSY$/m);
    const one = await answerTo(["explain", "-c", file, "--event", "open_perm", path]);
    expect(one.stdout).not.toContain("told");
    const json = await answerTo(["explain", "--json", "-c", file, "-e", "open_perm", path]);
    expect(JSON.parse(json.stdout).paths[0]).toMatchObject({
      rules: [],
      gates: [{ decision: "deny", gate: "no exe", errno: "EBUSY" }],
    });
  });
});

test("convert makes gates of a table's lines with permission events", async () => {
  const dir = tempDir();
  const file = dir.write("t.conf", "# scan\n/srv FAN_OPEN_PERM|FAN_EVENT_ON_CHILD /bin/scan $$\n");
  expect((await answerTo(["convert", file])).stdout).toBe(
    '# scan\n[[gate]]\nname = "t.conf:2"\nwatch = "/srv"\non = "FAN_OPEN_PERM|FAN_EVENT_ON_CHILD"\nask = ["/bin/scan", "{path}"]\n',
  );
});

describe("facron check", () => {
  test("counts gates, and knows a name only once for rules and gates", async () => {
    const { file } = place('[[gate]]\nwatch = "IN"\non = "open_perm"\nverdict = "allow"\n');
    expect((await answerTo(["check", file])).stdout).toMatch(/^0 rules and 1 gate in 1 file, /m);
    const one = '[[rule]]\nname = "x"\nwatch = "IN"\non = "open"\n';
    const other = '[[gate]]\nname = "x"\nwatch = "IN"\non = "open_perm"\nverdict = "deny"\n';
    const ruleFirst = await answerTo(["check", place(one + other).file]);
    expect(ruleFirst.stdout).toMatch(/:6:8: Rule "x" is there already: a name stands for one/);
    const gateFirst = await answerTo(["check", place(other + one).file]);
    expect(gateFirst.stdout).toMatch(/:7:8: Gate "x" is there already: a name stands for one/);
  });

  rootTest("warns of gates that hold up what facron and its command need", async () => {
    const dir = tempDir();
    const script = dir.write("in/scan", "#!/bin/sh\nexit 0\n");
    Bun.spawnSync(["chmod", "755", script]);
    const own = `ask = ["${script}", "{path}"]\noutput = "${dir.join("in/log")}"\n`;
    const text = [
      ...["[facron]", `runtime_dir = "${dir.join("in/run")}"`],
      ...[`state_dir = "${dir.join("in/state")}"`],
      ...["[[rule]]", 'name = "d"', `watch = "${dir.path}"`, 'on = "create"'],
      ...['run = ["/bin/true"]', "durable = true"],
      ...["[[gate]]", `watch = "${dir.join("in")}"`, "recursive = true"],
      ...['on = "open_perm"', 'type = ["file", "dir"]', own],
    ].join("\n");
    const file = dir.write("in/facron.toml", text);
    const says = /warning: Gate is about "(.*)", (.*): facron and its commands are let through, /;
    const warnings = async (): Promise<string[]> => {
      const { stdout } = await answerTo(["check", file]);
      const lines = stdout.split("\n").flatMap((line) => says.exec(line) ?? []);
      return lines.flatMap((_, at) => (at % 3 === 0 ? [`${lines[at + 1]} ${lines[at + 2]}`] : []));
    };
    expect((await warnings()).map((one) => one.replaceAll(dir.path, "D"))).toEqual([
      "D/in/scan its own command",
      "D/in/facron.toml its configuration",
      "D/in/state/facron.journal one of its journals",
      "D/in/run where facron status looks",
      "D/in/log which its commands write to",
    ]);
    const allowed = `[[gate]]\nwatch = "${dir.join("in")}"\nrecursive = true\non = "open_perm"\ntype = ["file", "dir"]\nexclude = "log"\nverdict = "allow"\n`;
    dir.write("in/facron.toml", text.replace("[[gate]]", `${allowed}[[gate]]`));
    expect((await warnings()).map((one) => one.replaceAll(dir.path, "D"))).toEqual([
      "D/in/log which its commands write to",
    ]);
  });

  test.each([
    ["", 'on = "open_exec_perm"\nverdict = "deny"', true],
    ["recursive = true\n", 'on = "open_perm"\nverdict = "deny"', false],
    ["", 'on = "open_perm"\ninclude = "*.x"\nverdict = "deny"', true],
    ["", 'on = "open_perm"\ntype = "dir"\nverdict = "deny"', false],
  ])("says that a gate never decides below one for all of it: %j %j: %p", async (own, keys, is) => {
    const above =
      '[[gate]]\nname = "all"\nwatch = "IN"\non = ["open_perm", "open_exec_perm"]\nverdict = "allow"\n';
    const { file } = place(`${above}[[gate]]\nwatch = "IN"\n${own}${keys}\n`);
    const { stdout } = await answerTo(["check", file]);
    expect(stdout.includes('warning: Gate never decides: "all" is above it')).toBe(is);
  });

  test("warns of a gate for all of /, of who is not there, and of what is not", async () => {
    const { file } = place(
      [
        '[[gate]]\nwatch = "/"\nrecursive = true\non = "open_perm"\nverdict = "allow"',
        '[[gate]]\nwatch = "IN/none"\non = "access_perm"\nask = ["/no/such"]\nuser = "nobdy"\ncwd = "/no"\nactor = { uid = "rot" }\n',
      ].join("\n"),
    );
    const { stdout } = await answerTo(["check", file]);
    for (const says of [
      /:2:9: warning: Gate is for all of "\/": whatever any program opens waits for it/,
      /:7:9: warning: Path ".*none" is not there yet: the gate is for it as soon as/,
      /:9:8: warning: Cannot run "\/no\/such": no such file; it fails until/,
      /:10:8: warning: Unknown user "nobdy": did you mean "nobody"\?/,
      /:11:7: warning: No directory "\/no": the command fails until there is one, and on_error/,
      /:12:9: warning: Unknown user "rot": did you mean "root"\?/,
    ])
      expect(stdout).toMatch(says);
  });

  test("warns once of a gate on a mount, unless it only allows", async () => {
    const gate = (decision: string): string =>
      `[[gate]]\nwatch = ["IN", "IN/x"]\nrecursive = true\nscope = "mount"\non = "open_perm"\n${decision}\n`;
    const { file } = place(gate('verdict = "allow"') + gate('ask = ["/bin/true"]'));
    const { stdout } = await answerTo(["check", file]);
    expect(stdout.match(/Scope "mount".*/g)).toEqual([
      'Scope "mount" asks only about what is opened by way of that mount: who makes a mount namespace passes by; scope = "filesystem" or "tree" holds them',
    ]);
    expect(stdout).toContain(':10:9: warning: Scope "mount"');
    expect((await answerTo(["explain", file])).stdout).toContain(
      "(only what is opened by way of that mount, and the kernel asks about all of the mount)",
    );
  });

  const fuseTest = requires({ root: "mounts FUSE", tools: ["bindfs"] });

  fuseTest("warns of a gate where the start will have none: procfs, FUSE", async () => {
    const dir = tempDir();
    dir.mkdir("source");
    await using _ = await FuseServer.start(dir.join("source"), dir.join("served"));
    const text = `[[gate]]\nwatch = ["/proc/sys", "${dir.join("served")}"]\non = "open_perm"\nverdict = "deny"\n`;
    const { stdout } = await answerTo(["check", dir.write("g.toml", text)]);
    expect(stdout).toMatch(
      /:2:10: warning: No gate can be on "\/proc\/sys": .* \(procfs\); leave it out of the gate$/m,
    );
    expect(stdout).toMatch(
      /:2:23: warning: No gate can be on ".*served": a server answers for that filesystem/,
    );
    expect(stdout).not.toContain("only what is done through this mount");
  });

  rootTest("says that gates need root, to whoever is not", async () => {
    const { dir, file } = place('[[gate]]\nwatch = "IN"\non = "open_perm"\nverdict = "deny"\n');
    Bun.spawnSync(["chmod", "-R", "a+rX", dir.path]);
    const script = `exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" check ${file}`;
    const { stdout } = await answerTo([], by(script));
    expect(stdout).toMatch(/:1:1: warning: Gate needs root: the kernel lets only CAP_SYS_ADMIN/);
    expect((await answerTo(["check", file])).stdout).not.toContain("needs root");
  });

  rootTest("refuses, for root, a gate's command that others can write", async () => {
    const { dir } = place();
    const script = dir.write("script", "#!/bin/sh\n");
    Bun.spawnSync(["chmod", "777", script]);
    const keys = `on = "open_perm"\nask = ["/bin/sh", "${script}"]\n`;
    const toml = dir.write("t.toml", `[[gate]]\nwatch = "/srv"\n${keys}`);
    const { code, stdout } = await answerTo(["check", toml]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/:4:8: Cannot trust ".*script": it can be written by everybody/);
  });
});

describe("gate test and the daemon agree", () => {
  rootTest("on which gate decides", async () => {
    const dir = tempDir();
    for (const one of ["in/sub/deep", "in/.dots", "one", "two", "plain"]) dir.mkdir(one);
    const names = ["a.exe", "large.bin", "x.txt", "sub/x.exe", "sub/deep/y", ".dots/z", "out"];
    const paths = names.map((name) => dir.write(`in/${name}`, "small"));
    paths.push(dir.write("in/huge", "x".repeat(5_000)), dir.write("in/end", ""));
    paths.push(...["one/f.c", "two/f.c", "two/f.h", "plain/f"].map((name) => dir.write(name, "")));
    symlinkSync("in/a.exe", dir.join("link"));
    paths.push(dir.join("link"));
    const gate = (name: string, watch: string, keys: string): string =>
      `[[gate]]\nname = "${name}"\nwatch = "${dir.path}/${watch}"\non = "open_perm"\n${keys}\nverdict = "allow"\n`;
    const file = dir.write(
      "g.toml",
      '[facron]\ngate_log = "all"\n' +
        gate("end", "in", 'include = "end"') +
        gate("sh", "in", 'recursive = true\nactor = { exe = "/no/such" }') +
        gate("exe", "in", 'recursive = true\ninclude = "*.exe"\nexclude = "sub/"') +
        gate("large", "in", 'min_size = "4kB"') +
        gate("cat", "in", 'include = "*.txt"\nactor = { comm = "cat", uid = 0 }') +
        gate("tree", "in", "recursive = true\ndot_directories = false\nexclude = 'out'") +
        gate("c", "{one,two}/*.c", "") +
        gate("mount", "plain", 'recursive = true\nscope = "mount"'),
    );
    await using facron = await runBinary(["-c", file]).ready();
    const cat = Bun.which("cat")!;
    for (const path of [...paths, dir.join("in/end")]) Bun.spawnSync([cat, path]);
    await waitFor(() => facron.events.filter((line) => line["gate"] === "end").length === 2, {
      what: "the last of them",
    });
    const decided = new Map(facron.events.map((line) => [line["path"], line["gate"]]));
    const as = ["--exe", cat, "--comm", "cat", "--user", "root"];
    const { stdout } = await answerTo(["gate", "test", "--json", "-c", file, ...as, ...paths]);
    const answers: { path: string; gate: string | null }[] = JSON.parse(stdout).answers;
    const tested = answers.map(({ path, gate: by }) => [realpathSync(path), String(by)]);
    expect(tested).toEqual(
      paths.map((path) => [realpathSync(path), String(decided.get(realpathSync(path)) ?? null)]),
    );
    expect(new Set(decided.values()).size).toBe(7);
  });
});

test("--gate-log takes all, deny and none only", async () => {
  const { file } = place();
  expectRefusal(
    await answerTo(["-c", file, "--gate-log", "some"]),
    'Unknown value "some" for --gate-log: use all, deny, none',
  );
});
