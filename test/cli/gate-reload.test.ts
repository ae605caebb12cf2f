/** Gates that come, go and change while others open files; limits; lines that nobody reads. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { denied, gated, outcome, outcomeOf } from "../gate/gated.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { openPipe } from "../helpers/pipe.ts";
import { requires } from "../helpers/requires.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = requires({ root: "gates" });

interface Some {
  readonly name?: string;
  readonly verdict?: string;
  readonly more?: string;
}

function gateOn(watch: string, { name = "no", verdict = "deny", more = "" }: Some = {}): string {
  return `[[gate]]\nname = "${name}"\nwatch = "${watch}"\non = "open_perm"\nverdict = "${verdict}"\n${more}\n`;
}

/** Opens a file as fast as it can until its stdin ends; then says how often it was let in, and denied. */
const opener = `
  $0 = "opener"; my ($in, $out) = (0, 0);
  use POSIX; fcntl(STDIN, F_SETFL, O_NONBLOCK);
  until (defined sysread(STDIN, my $end, 1)) {
    for (1 .. 20) { if (open(my $file, "<", $ARGV[0])) { $in++ } else { $out++ } }
  }
  print "$in $out";
`;

describe("a reload", () => {
  rootTest(
    "leaves no moment without the gate that stays",
    async () => {
      const directory = tempDir();
      const file = directory.write("gated/file");
      directory.write("other/file");
      const config = directory.write("gates.toml", gateOn(directory.join("gated")));
      await using facron = await runBinary(["--config", config, "--gate-log", "none"]).ready();
      const child = Bun.spawn(["perl", "-e", opener, file], { stdin: "pipe", stdout: "pipe" });
      for (let count = 1; count <= 50; count++) {
        const other = gateOn(directory.join("other"), { name: `other ${count}` });
        const stays = gateOn(directory.join("gated"));
        writeFileSync(config, count % 2 === 0 ? stays : other + stays);
        facron.signal("SIGUSR1");
        const reloads = () => facron.log.match(/reloaded, /g)?.length === count;
        await waitFor(reloads, { what: `reload ${count}`, state: () => facron.log });
      }
      child.stdin.end();
      const [letIn, shutOut] = (await new Response(child.stdout).text()).split(" ").map(Number);
      expect(letIn).toBe(0);
      expect(shutOut).toBeGreaterThan(100);
    },
    60_000,
  );

  rootTest("a stop while directories are made leaves the closed group alone", async () => {
    const directory = tempDir();
    const tree = directory.mkdir("gated");
    const toml = gateOn(tree, { more: "recursive = true" });
    const config = directory.write("gates.toml", toml);
    const script = 'i=0; while mkdir "$0/$i"; do i=$((i + 1)); done';
    const maker = Bun.spawn(["sh", "-c", script, tree], { stderr: "ignore" });
    atTestEnd(() => maker.kill());
    for (let stop = 0; stop < 3; stop++) {
      const facron = await runBinary(["--config", config]).ready();
      facron.signal("SIGTERM");
      expect(await facron.exit()).toMatchObject({ code: 0 });
      expect(facron.log).not.toContain("No gate");
      expect(facron.log).not.toContain("bad file descriptor");
    }
  });

  rootTest("takes the last gate away, and brings one again", async () => {
    const directory = tempDir();
    const file = directory.write("gated/file");
    const toml = gateOn(directory.join("gated"));
    const rule = `[[rule]]\nwatch = "${directory.mkdir("watched")}"\non = "create"\n`;
    const config = directory.write("gates.toml", toml + rule);
    await using facron = await runBinary(["--config", config]).ready();
    expect(outcome("cat", file)).toBe(denied);
    for (const [text, expected] of [
      [rule, "ok"],
      [toml + rule, denied],
      [rule, "ok"],
    ] as const) {
      writeFileSync(config, text);
      facron.signal("SIGUSR1");
      await waitFor(() => outcome("cat", file) === expected, { what: `"${expected}"` });
    }
  });

  rootTest(
    "of a gate that is asking: who waits is answered by it, and who comes after by the new one",
    async () => {
      const directory = tempDir();
      const file = directory.write("gated/file");
      const go = directory.join("go");
      const slow = directory.script("slow", `while ! [ -e ${go} ]; do sleep 0.02; done; exit 1`);
      const asking = `[[gate]]\nname = "asks"\nwatch = "${directory.join("gated")}"\non = "open_perm"\nask = ["${slow}"]\ntimeout = "20s"\n`;
      const config = directory.write("gates.toml", asking);
      await using facron = await runBinary(["--config", config, "--gate-log", "all"]).ready();
      const first = Bun.spawn(["cat", file], { stdout: "ignore", stderr: "ignore" });
      const isHeld = () => outcomeOf(`grep -q "fanotify" /proc/${first.pid}/wchan`) === "ok";
      await waitFor(isHeld, { what: "the process to be held" });
      writeFileSync(config, gateOn(directory.join("gated"), { name: "asks", verdict: "allow" }));
      facron.signal("SIGUSR1");
      await facron.waitForLog(/reloaded, /);
      expect(outcome("cat", file)).toBe("ok");
      directory.write("go");
      expect(await first.exited).not.toBe(0);
      expect(outcome("cat", file)).toBe("ok");
    },
    30_000,
  );
});

describe("what only a restart brings", () => {
  rootTest("is said, and verdicts are given without it", async () => {
    const directory = tempDir();
    const file = directory.write("gated/file");
    const plain = gateOn(directory.join("gated"));
    const config = directory.write("gates.toml", plain);
    await using facron = await runBinary(["--config", config]).ready();
    writeFileSync(
      config,
      gateOn(directory.join("gated"), { more: 'errno = "EBUSY"\naudit = true' }),
    );
    facron.signal("SIGUSR1");
    await facron.waitForLog(/Gates began without audit, errno and pre_access/);
    await facron.waitForLog(/reloaded, /);
    expect(outcome("cat", file)).toBe(denied);
    writeFileSync(config, plain);
    facron.signal("SIGUSR1");
    await waitFor(() => facron.log.match(/reloaded, /g)?.length === 2, { what: "the reload" });
    expect(outcome("cat", file)).toBe(denied);
  });
});

describe("--dry-run", () => {
  rootTest("lets everything through, and says what would be denied", async () => {
    const directory = tempDir();
    const file = directory.write("file");
    await using facron = await gated(gateOn(directory.path), ["--dry-run"]);
    expect(outcome("cat", file)).toBe("ok");
    const line = await facron.waitForEvent("a decision", (one) => one["verdict"] === "deny");
    expect(line["path"]).toBe(file);
  });
});

describe("--gate-log", () => {
  rootTest("all, deny and none say what they are called", async () => {
    for (const [which, expected] of [
      ["all", ["allow", "deny"]],
      ["deny", ["deny"]],
      ["none", []],
    ] as const) {
      const directory = tempDir();
      const [open, closed] = [directory.write("open/file"), directory.write("closed/file")];
      const toml =
        gateOn(directory.join("open"), { name: "yes", verdict: "allow" }) +
        gateOn(directory.join("closed"));
      const facron = await gated(toml, ["--gate-log", which]);
      expect(outcome("cat", open)).toBe("ok");
      expect(outcome("cat", closed)).toBe(denied);
      await facron.stop();
      expect(facron.events.map((one) => one["verdict"])).toEqual([...expected]);
    }
  });
});

describe("limits", () => {
  rootTest(
    "more questions at once than a read can bring, and than a low limit of files allows",
    async () => {
      const directory = tempDir();
      const file = directory.write("file");
      const free = directory.write("free");
      const go = directory.join("go");
      const script = directory.script("ask", `while ! [ -e ${go} ]; do sleep 0.02; done; exit 0`);
      const asking = `[[gate]]\nname = "asks"\nwatch = "${file}"\non = "open_perm"\nask = ["${script}"]\ntimeout = "20s"\non_error = "deny"\n`;
      const toml = asking + gateOn(free, { name: "yes", verdict: "allow" });
      const command = ["prlimit", "--nofile=256:256", binaryPath];
      await using facron = await gated(toml, ["--gate-log", "all"], { command });
      const results = directory.join("results");
      const many = `for i in $(seq 400); do (cat ${file} && echo in || echo out) >> ${results} 2>/dev/null & done; wait`;
      const openers = Bun.spawn(["sh", "-c", many], { stdout: "ignore", stderr: "ignore" });
      // All that are beyond the bound are denied while the others wait; and what is not asked about goes on.
      const pendingMax = 64;
      await facron.waitForLines(400 - pendingMax);
      expect(outcome("cat", free)).toBe("ok");
      directory.write("go");
      await openers.exited;
      await waitFor(() => facron.events.length === 401, { what: "all decisions" });
      const saidBy = (by: string) => facron.events.filter((one) => one["by"] === by).length;
      expect([saidBy("error"), saidBy("command")]).toEqual([400 - pendingMax, pendingMax]);
      const said = (await Bun.file(results).text()).split("\n");
      expect(said.filter((one) => one === "in")).toHaveLength(pendingMax);
      expect(said.filter((one) => one === "out")).toHaveLength(400 - pendingMax);
      expect(facron.log).not.toContain("could not be read");
    },
    60_000,
  );

  rootTest(
    "no descriptor left: the kernel denies, it is said once, and the thread goes on",
    async () => {
      const directory = tempDir();
      const file = directory.write("file");
      await using facron = await gated(gateOn(directory.path, { verdict: "allow" }));
      expect(outcome("cat", file)).toBe("ok");
      const limit = (soft: string): string =>
        outcome("prlimit", "--pid", String(facron.pid), `--nofile=${soft}:`);
      expect(limit("3")).toBe("ok");
      expect([outcome("cat", file), outcome("cat", file)]).toEqual([denied, denied]);
      expect(limit("1024")).toBe("ok");
      expect(outcome("cat", file)).toBe("ok");
      const words = /a question could not be read.*raise facron's limit/g;
      await facron.waitForLog(words);
      expect(facron.log.match(words)).toHaveLength(1);
    },
  );

  rootTest(
    "a stdout that nobody reads holds up no verdict",
    async () => {
      using pipe = openPipe();
      const directory = tempDir();
      const file = directory.write("file");
      const toml = gateOn(directory.path);
      await using _ = await gated(toml, ["--gate-log", "all"], { stdout: pipe.write.number });
      const many = `i=0; while [ $i -lt 3000 ]; do { read x < ${file}; } 2>/dev/null && echo in; i=$((i+1)); done | wc -l`;
      const { stdout } = Bun.spawnSync(["sh", "-c", many], { timeout: 30_000 });
      expect(stdout.toString().trim()).toBe("0");
      expect(outcome("cat", file)).toBe(denied);
    },
    60_000,
  );
});
