/** Commands as another user: what the built binary starts, and what its log says when it does not. */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { encodeTask } from "../../src/action/exec-task.ts";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { needsRoot, requires } from "../helpers/requires.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, linesOf, nobody } from "./support.ts";

const alice = addAccount();

/** DIR/in is watched; DIR/out is where everybody may write. */
function sharedDir(): TempDir {
  const dir = tempDir();
  chmodSync(dir.path, 0o755);
  chmodSync(dir.mkdir("out"), 0o777);
  dir.mkdir("in");
  return dir;
}

/** A configuration of one rule for close_write in DIR/in, which runs `run` as Alice. */
function ruleFile(dir: TempDir, run: readonly string[], more = ""): string {
  return dir.write(
    "facron.toml",
    `[[rule]]\nname = "import"\nwatch = ["${dir.join("in")}"]\non = ["close_write"]\n` +
      `run = ${JSON.stringify(run)}\n${more || `user = "${alice.name}"`}\n`,
  );
}

/** The log's lines that speak of the rule. */
const aboutRule = ({ log }: RunningBinary): string[] =>
  log.split("\n").filter((line) => line.includes('rule "import"'));

const exits = (facron: RunningBinary): number => facron.log.split(" exited 0 after ").length - 1;

describe("a rule with a user", () => {
  needsAccounts(
    "runs its command as that user, and the name is handed over byte for byte",
    async () => {
      const dir = sharedDir();
      const script = dir.script(
        "run",
        `id >${dir.join("out/id")}; printf %s "$1" >${dir.join("out/path")}`,
      );
      await using facron = await runBinary(["-c", ruleFile(dir, [script, "{path}"])]).ready();
      const path = Buffer.concat([utf8(`${dir.join("in")}/`), fromLatin1("\xff b")]);
      writeFileSync(path, "");
      await facron.waitForLog(/exited 0/);
      expect(readFileSync(dir.join("out/id"), "utf8")).toBe(`${alice.id()}\n`);
      expect(readFileSync(dir.join("out/path"))).toEqual(path);
    },
  );

  needsAccounts("tells of the event in the environment, byte for byte", async () => {
    const dir = sharedDir();
    const script = dir.script("run", `cat /proc/$$/environ >${dir.join("out/environment")}`);
    const more = `user = "${alice.name}"\nclear_env = true`;
    await using facron = await runBinary(["-c", ruleFile(dir, [script], more)]).ready();
    writeFileSync(Buffer.concat([utf8(`${dir.join("in")}/`), fromLatin1("\xff b")]), "");
    await facron.waitForLog(/exited 0/);
    const entries = readFileSync(dir.join("out/environment"), "latin1").split("\0").slice(0, -1);
    expect(entries.map((entry) => entry.replace(/^FACRON_PID=\d+$/, "FACRON_PID=N"))).toEqual([
      `HOME=${alice.home}`,
      `USER=${alice.name}`,
      `LOGNAME=${alice.name}`,
      `SHELL=${alice.shell}`,
      `USERNAME=${alice.name}`,
      "PATH=/usr/local/bin:/usr/bin:/bin",
      `FACRON_PATH=${dir.join("in")}/\xff b`,
      "FACRON_NAME=\xff b",
      `FACRON_DIR=${dir.join("in")}`,
      "FACRON_EVENTS=close_write",
      "FACRON_PID=N",
      "FACRON_RULE=import",
      "FACRON_SEQ=1",
    ]);
  });

  needsAccounts("says in one line why its command was not started, and goes on", async () => {
    const dir = sharedDir();
    const program = dir.write("private", "#!/bin/sh\n", { mode: 0o700 });
    await using facron = await runBinary(["-c", ruleFile(dir, [program])]).ready();
    dir.write("in/a");
    await facron.waitForLog(/Cannot start/);
    chmodSync(program, 0o755);
    dir.write("in/b");
    await facron.waitForLog(/exited 0/);
    const [refusal, ...rest] = aboutRule(facron);
    expect(refusal).toBe(
      `facron: error: rule "import": Cannot start "${program}" as "${alice.name}": permission denied: ` +
        "look at its mode, at its interpreter's, at those of the directories above them, and for a mount with noexec",
    );
    expect(rest).toHaveLength(1);
  });

  needsAccounts("goes on after the binary was replaced by an upgrade", async () => {
    const dir = sharedDir();
    const copy = dir.join("facron");
    runBinary([]); // builds it
    copyFileSync(binaryPath, copy);
    const config = ruleFile(dir, ["/bin/true"]);
    await using facron = await runBinary(["-c", config], { command: [copy] }).ready();
    unlinkSync(copy);
    dir.write("in/a");
    await waitFor(() => exits(facron) === 1, {
      what: "a command without a binary",
      state: () => facron.log,
    });
    dir.write("facron", "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    dir.write("in/b");
    await waitFor(() => exits(facron) === 2, {
      what: "a command beside another binary",
      state: () => facron.log,
    });
  });

  needsAccounts("ends with facron: SIGTERM reaches the command", async () => {
    const dir = sharedDir();
    const script = dir.script("run", `touch ${dir.join("out/started")}; exec sleep 600`);
    await using facron = await runBinary(["-c", ruleFile(dir, [script])]).ready();
    dir.write("in/a");
    await waitFor(() => Bun.file(dir.join("out/started")).exists(), { what: "the command" });
    facron.signal("SIGTERM");
    await facron.waitForLog(/ending/);
    expect(await facron.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(facron.log).toContain(`rule "import": "${script}" was killed by SIGTERM`);
  });
});

describe("a rule that needs access", () => {
  const more = `user = "${alice.name}"\nrequire_access = true`;

  needsAccounts(
    "is obeyed while its user may read the directory, and said once when not",
    async () => {
      const dir = sharedDir();
      const after = dir.script("after", `echo "$1" >>${dir.join("out/after")}`);
      // One at a time and in order: once it runs for a file, the first rule is done with that file.
      const second = `${more}\n[[rule]]\nname = "after"\nwatch = ["${dir.join("in")}"]\non = ["close_write"]\nrun = ["${after}", "{name}"]`;
      const config = ruleFile(dir, ["/usr/bin/touch", `${dir.join("out")}/{name}`], second);
      await using facron = await runBinary(["-c", config, "--max-running", "1"]).ready();
      const isDone = (name: string) => () => linesOf(dir.join("out/after")).includes(name);
      const done = (name: string) =>
        waitFor(isDone(name), { what: `the turn of ${name}`, state: () => facron.log });
      dir.write("in/a");
      await done("a");
      chmodSync(dir.join("in"), 0o700);
      for (const name of ["b", "c", "d"]) dir.write(`in/${name}`);
      await done("d");
      chmodSync(dir.join("in"), 0o755);
      dir.write("in/e");
      await done("e");
      expect(readdirSync(dir.join("out")).sort()).toEqual(["a", "after", "e"]);
      const refusals = aboutRule(facron).filter((line) => line.includes("not run"));
      expect(refusals).toEqual([
        `facron: warning: rule "import": not run: ${alice.name} may not read "${dir.join("in")}"`,
      ]);
    },
  );

  needsRoot("becomes another user")("is also held to it where facron is that user", async () => {
    const dir = sharedDir();
    const own = 'user = "nobody"\nrequire_access = true';
    await using facron = await runBinary(["-c", ruleFile(dir, ["/bin/true"], own)], nobody).ready();
    chmodSync(dir.join("in"), 0o700);
    dir.write("in/a");
    await facron.waitForLog(/not run: nobody may not read ".*\/in"/);
  });
});

describe("without privilege", () => {
  needsRoot("becomes another user")("a rule for oneself runs, with one's own home", async () => {
    const dir = sharedDir();
    const script = dir.script("run", `echo "$(id -u) $HOME $USER" >${dir.join("out/who")}`);
    const config = ruleFile(dir, [script], 'user = "nobody"');
    await using facron = await runBinary(["-c", config], {
      ...nobody,
      env: { HOME: "/x" },
    }).ready();
    dir.write("in/a");
    await facron.waitForLog(/exited 0/);
    expect(readFileSync(dir.join("out/who"), "utf8")).toBe("65534 /nonexistent nobody\n");
  });

  needsRoot("becomes another user")(
    "a rule for another user is one sentence with its cure",
    async () => {
      const dir = sharedDir();
      const config = ruleFile(dir, ["/bin/true"], 'user = "root"');
      await using facron = await runBinary(["-c", config], nobody).ready();
      dir.write("in/a");
      const cure = "only root may become another user; run facron as root";
      await facron.waitForLog(/rule "import"/);
      expect(aboutRule(facron)).toEqual([
        `facron: error: rule "import": Cannot run as "root": ${cure}`,
      ]);
    },
  );
});

describe("the helper", () => {
  const straceTest = requires({ root: "becomes another user", tools: ["strace", "bash"] });

  straceTest(
    "looks at nothing in the user's home or in its own directory while it is root",
    async () => {
      const dir = sharedDir();
      runBinary([]);
      for (const name of [
        ".bunfig.toml",
        "bunfig.toml",
        ".env",
        "package.json",
        "tsconfig.json",
        ".npmrc",
      ])
        dir.write(name, "nonsense");
      const trace = dir.join("trace");
      const task = dir.write(
        "task",
        encodeTask({
          identity: { uid: 65_534, gid: 65_534, groups: [65_534] },
          softFileLimit: 1024,
          cwd: null,
          umask: null,
          nice: null,
          cgroups: [],
          place: new Uint8Array(0),
          path: utf8("/bin/true"),
          argv: [utf8("true")],
          environment: [],
        }),
      );
      const words = ["__exec", "8,9"];
      const command = ["strace", "-f", "-o", trace, "-e", "trace=%file", binaryPath, ...words];
      const environment = { PATH: process.env["PATH"], HOME: dir.path, XDG_CONFIG_HOME: dir.path };
      const { exitCode } = Bun.spawnSync(
        ["bash", "-c", `"$@" 8<${task} 9>&1`, "bash", ...command],
        {
          cwd: dir.path,
          env: environment,
        },
      );
      const calls = readFileSync(trace, "utf8").split("\n");
      expect(exitCode).toBe(0);
      expect(calls.some((call) => call.includes('execve("/bin/true"'))).toBe(true);
      expect(
        calls.filter((call) => call.includes(`"${dir.path}`) && !call.includes("getcwd(")),
      ).toEqual([]);
      const relative = calls.filter((call) => /AT_FDCWD, "[^/"]/.test(call));
      expect(relative).toEqual([]);
    },
  );

  for (const words of [[], ["x"], ["0,1"], ["1,2,3", "", "/bin/true"]]) {
    requires({})(`is not for the command line: __exec ${words.join(" ")}`, async () => {
      const { code, stdout, stderr } = await answerTo(["__exec", ...words]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toBe(
        "facron: error: __exec is how facron starts commands; not for the command line\n",
      );
    });
  }
});
