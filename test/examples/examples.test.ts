/** Every example in README.md and in the help is run as it is written. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commandNames } from "../../src/cli/arguments.ts";
import { helpOf } from "../../src/cli/help.ts";
import { startProcess } from "../helpers/processes.ts";
import { findTool, needsRoot } from "../helpers/requires.ts";
import { childrenOf, statusOf } from "../cli/support.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { commandsIn, commandsInHelp, fencedBlocks, tableInHelp } from "./extract.ts";
import { Sandbox } from "./sandbox.ts";
import {
  actionKeyNames,
  keysInTable,
  ruleKeys,
  settingsKeys,
} from "../../src/config/toml-schema.ts";
import { gateKeys } from "../../src/config/toml-gate-schema.ts";

const rootTest = needsRoot("runs examples in a namespace of their own");

const readmePath = join(import.meta.dir, "../../README.md");
const readme = existsSync(readmePath) ? readFileSync(readmePath, "utf8") : "";
const blocks = fencedBlocks(readme);

/** Where the examples watch, and a configuration that watches there. */
const watched = ["/srv/in", "/etc", "."];
const table = "/srv/in close_write,create\n/etc close_write,create\n";

const commands = new Set([
  ...commandsInHelp(helpOf("run")),
  ...commandsInHelp(helpOf("watch")),
  ...commandsInHelp(helpOf("explain")),
  ...commandsInHelp(helpOf("gate")),
  ...commandsInHelp(helpOf("status")),
  ...commandsIn(blocks),
]);
/** They answer and end. */
const answers = [...commands].filter((command) =>
  /^facron (check|explain|convert|schema|queue|gate)\b/.test(command),
);
/** They ask a facron that runs. */
const questions = [...commands].filter((command) => command.startsWith("facron status"));
const facrons = [...commands].filter(
  (command) => command.startsWith("facron ") && ![...answers, ...questions].includes(command),
);
const others = [...commands].filter((command) => !/^facron /.test(command));

test("the help and the README have examples", () => {
  expect(commandsInHelp(helpOf("run"))).not.toBeEmpty();
  expect(commandsInHelp(helpOf("watch"))).not.toBeEmpty();
  if (readme !== "") expect(commandsIn(blocks)).not.toBeEmpty();
});

test("every example is one that these tests know how to run", () => {
  expect(others.filter((command) => !/^kill -(USR1|USR2|HUP) /.test(command))).toEqual([]);
});

/** The facron of the sandbox is ready, and then comes the command. */
async function besideFacron(command: string): Promise<RunningBinary> {
  const place = sandbox();
  const script = `facron & until [ -e go ]; do sleep 0.01; done; ${command}; wait`;
  const running = await place.run(script).ready();
  place.write("go", "");
  return running;
}

function sandbox(): Sandbox {
  const place = new Sandbox();
  for (const file of ["facron.conf", "/etc/facron.conf"]) place.write(file, table);
  for (const directory of ["/srv/in", "/etc/nginx"]) place.mkdir(directory);
  return place;
}

describe("it works as an example says:", () => {
  for (const command of facrons) {
    const missing = command.includes("jq") && findTool("jq") === null;
    if (missing) console.error(`skip: ${command}: there is no jq`);
    (missing ? test.skip : rootTest)(command, async () => {
      const place = sandbox();
      const running = place.run(command);
      await running.ready();
      for (const directory of watched) place.write(`${directory}/new`, "text");
      if (command.includes("| jq")) endFacron(running); // jq keeps lines for a pipe back
      await running.waitForLines(1);
      const lines = /jq .*-r/.test(command) ? [] : running.events;
      expect(lines.every((event) => typeof event.path === "string")).toBe(true);
      expect(running.log).not.toMatch(/error|warning/);
      if (command.includes("| head")) expect((await running.exit()).code).toBe(0);
    });
  }

  for (const command of answers) {
    rootTest(command, async () => {
      const place = sandbox();
      const running = place.run(`${prepared(command, place)}${command}`);
      expect(await running.exit()).toEqual({ code: 0, signal: null });
      expect(running.log).toBe("");
      if (!command.includes(">")) expect(running.lines).not.toBeEmpty();
    });
  }

  for (const command of others) {
    rootTest(command, async () => {
      const running = await besideFacron(command);
      const isQuestion = command.includes("USR2");
      await running.waitForLog(
        isQuestion ? /^facron: status: fanotify 2 paths/m : /^facron: reloaded, watching 2 paths/m,
      );
    });
  }

  for (const command of questions) {
    const missing = command.includes("jq") && findTool("jq") === null;
    if (missing) console.error(`skip: ${command}: there is no jq`);
    (missing ? test.skip : rootTest)(command, async () => {
      const running = await besideFacron(`${command} && echo that was it`);
      await waitFor(() => running.lines.includes("that was it"), { what: "the answer" });
      expect(running.log).not.toMatch(/error|warning/);
      if (!command.includes("|"))
        expect(running.lines.join("\n")).toMatch(/facron.*pid.*\d+.*running/);
    });
  }
});

/** A configuration of its kind; a queue is there when a facron with a durable rule has been. @returns what goes before the command */
function prepared(command: string, place: Sandbox): string {
  if (command.startsWith("facron gate")) {
    place.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n");
    place.write("/etc/facron.conf", "/srv/in open_perm,open_exec_perm /bin/true $$\n");
    const gate = '[[gate]]\nwatch = "/srv/in"\non = "open_perm"\nverdict = "allow"\n';
    place.write("/etc/facron.toml", gate);
  }
  if (!command.startsWith("facron queue")) return "";
  const rule = '[[rule]]\nname = "ingest"\nwatch = "/srv/in"\non = "create"\ndurable = true\n';
  place.write(
    "/etc/facron.conf",
    `[facron]\nstate_dir = "/srv/state"\n${rule}run = ["/bin/true"]\n`,
  );
  return "facron 2>log & until grep -qs ready log; do sleep 0.01; done; kill $!; wait; ";
}

/** SIGTERM to the facron in a sandbox: what reads from it then comes to its end too. */
function endFacron({ pid }: RunningBinary): void {
  for (const child of descendantsOf(pid)) {
    if (statusOf(child)?.["Name"] === "facron") process.kill(child, "SIGTERM");
  }
}

/** By a process that facron can see, and that lives on. */
function writeFromInside(running: RunningBinary, paths: readonly string[]): void {
  const script = 'while read file; do echo x >"$file"; done';
  const writer = startProcess([...entering(running), "sh", "-c", script]);
  for (const path of paths) writer.line(path);
}

/** What a script does in the sandbox of a facron, as a process that is none of its own. */
function fromInside(running: RunningBinary, script: string) {
  return Bun.spawnSync([...entering(running), "sh", "-c", script]);
}

function entering({ pid }: RunningBinary): string[] {
  const facron = descendantsOf(pid).find((child) => statusOf(child)?.["Name"] === "facron");
  return ["nsenter", "--target", `${facron}`, "--mount", "--pid"];
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

describe("the example tables", () => {
  const tables: Record<string, readonly string[]> = { "of the help": tableInHelp(helpOf("run")) };
  blocks
    .filter(({ language }) => language === "facron")
    .forEach(({ lines }, index) => (tables[`${index + 1} of the README`] = lines));

  for (const [claim, lines] of Object.entries(tables)) {
    rootTest(`${claim} are followed, and every rule of them fires`, async () => {
      const rules = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
      expect(rules).not.toBeEmpty();
      const fields = rules.map((rule) => rule.split(/\s+/));
      const place = sandbox();
      for (const [path] of fields) {
        if (isFile(path!)) place.write(path!, "old");
        else place.mkdir(path!);
      }
      place.write("facron.conf", `${lines.join("\n")}\n`);
      const programs = fields.flatMap(([, , program]) => program ?? []);
      const running = await place.run("facron -c facron.conf", { programs }).ready();
      expect(running.log).not.toMatch(/error|warning/);
      for (const [path] of fields) place.write(isFile(path!) ? path! : `${path}/new`, "new");
      await waitFor(() => new Set(running.events.flatMap(rulesOf)).size === rules.length, {
        what: "an event for each rule",
        state: () => `${running.lines.join("\n")}\n${running.log}`,
      });
      const ran = () => running.log.match(/ exited 0 after /g)?.length ?? 0;
      await waitFor(() => ran() >= programs.length, { what: "a command for each rule with one" });
    });
  }
});

function rulesOf(event: { readonly [field: string]: unknown }): string[] {
  return event["rules"] as string[];
}

function isFile(path: string): boolean {
  return /\.\w+$/.test(path);
}

describe("the example in TOML", () => {
  const examples = blocks.filter(
    ({ language, lines }) => language === "toml" && !lines.includes("[[gate]]"),
  );
  examples.forEach(({ lines }, index) => {
    rootTest(`${index + 1} of the README is followed, and every rule of it fires`, async () => {
      const place = sandbox();
      place.write("facron.toml", `${lines.join("\n")}\n`);
      const users = ["root:x:0:0:root:/root:/bin/sh", "www-data:x:33:33::/var/www:/bin/sh"];
      place.write("/etc/passwd", `${users.join("\n")}\n`);
      const rules = lines.filter((line) => line === "[[rule]]").length;
      const paths = lines.flatMap((line) => /^watch = "(.*)"$/.exec(line)?.[1] ?? []);
      const programs = lines.flatMap((line) => /^run = \["([^"]*)"/.exec(line)?.[1] ?? []);
      const others = lines.flatMap((line) => /^on_failure = \["([^"]*)"/.exec(line)?.[1] ?? []);
      for (const path of paths) isFile(path) ? place.write(path, "old") : place.mkdir(path);
      const stubs = { programs: [...programs, ...others] };
      const running = await place.run("facron -c facron.toml", stubs).ready();
      expect(running.log).not.toMatch(/error|warning/);
      const written = paths.flatMap((path) =>
        isFile(path) ? [path] : [`${path}/new`, `${path}/new.csv`],
      );
      if (!lines.some((line) => line.startsWith("actor = ")))
        for (const path of written) place.write(path, "new");
      else writeFromInside(running, written);
      await waitFor(() => new Set(running.events.flatMap(rulesOf)).size === rules, {
        what: "an event for each rule",
        state: () => `${running.lines.join("\n")}\n${running.log}`,
      });
      const ran = () => running.log.match(/ exited 0 after /g)?.length ?? 0;
      await waitFor(() => ran() >= programs.length, { what: "a command for each rule with one" });
    });
  });
});

describe("the example with gates", () => {
  const [example] = blocks.filter(
    ({ language, lines }) => language === "toml" && lines.includes("[[gate]]"),
  );
  const [script] = blocks.filter(({ language }) => language === "bash");

  rootTest("decides as it says, with the scanner beside it", async () => {
    const place = sandbox();
    place.onDisk("/srv");
    place.write("facron.toml", `[facron]\ngate_log = "all"\n${example!.lines.join("\n")}\n`);
    place.write("scan", `${script!.lines.join("\n")}\n`);
    place.write("/srv/in/good.txt", "harmless");
    place.write("/srv/in/bad.txt", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE");
    place.write("/srv/in/bad.part", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE");
    const programs = { programs: ["/usr/local/bin/scan"] };
    const running = await place
      .run(
        "cp scan /usr/local/bin/scan; cp /bin/true /srv/in/setup; facron -c facron.toml",
        programs,
      )
      .ready();
    expect(running.log).not.toMatch(/error|warning/);
    const tried = "cat good.txt; cat good.txt; cat bad.txt; cat bad.part; ./setup";
    const { stdout, stderr } = fromInside(running, `cd /srv/in; { ${tried}; } 2>&1`);
    expect(stderr.toString()).toBe("");
    const [good, goodAgain, ...others] = stdout.toString().split(/(?<=harmless)|\n/);
    expect([good, goodAgain]).toEqual(["harmless", "harmless"]);
    expect(others.join("\n")).toMatch(
      /bad\.txt: Operation not permitted\nEICAR-STANDARD-ANTIVIRUS-TEST-FILE.*setup: Operation not permitted/,
    );
    await running.waitForLines(4);
    const decisions = running.events.map(({ gate, verdict, path, by }) => [
      gate,
      verdict,
      path,
      by,
    ]);
    expect(decisions.toSorted()).toEqual([
      ["no programs", "deny", "/srv/in/setup", "verdict"],
      ["scan", "allow", "/srv/in/good.txt", "cache"],
      ["scan", "allow", "/srv/in/good.txt", "command"],
      ["scan", "deny", "/srv/in/bad.txt", "command"],
    ]);
  });
});

describe("the README", () => {
  const inReadme = readme === "" ? test.skip : test;

  inReadme("shows lines whose fields stand in the documented order", () => {
    const order = ["v", "seq", "time", "rules", "events", "gate", "verdict", "on", "path", "from"];
    order.push("dir", "pid", "comm", "exe", "uid", "synthetic", "path_bytes", "from_bytes", "lost");
    order.push("waited_us", "by");
    const lines = blocks
      .filter(({ language }) => language === "json")
      .flatMap(({ lines }) => lines);
    expect(lines).not.toBeEmpty();
    for (const line of lines) {
      const places = Object.keys(JSON.parse(line)).map((field) => order.indexOf(field));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(places).not.toContain(-1);
    }
  });

  inReadme("has no event that facron does not take", async () => {
    const [, section = ""] = /^### Events of rules$([^]*?)^## /m.exec(readme) ?? [];
    const names = new Set(section.match(/\b(FAN|IN)_[A-Z_]*[A-Z]\b/g) ?? []);
    const events = [...names].filter((name) => !/ONDIR|ON_CHILD|_PERM$/.test(name));
    expect(events.length).toBeGreaterThan(10);
    const dir = tempDir();
    const lines = events.map((name) => `${dir.path} ${name}\n`);
    await using facron = runBinary(["-c", dir.write("facron.conf", lines.join(""))]);
    await facron.waitForLog(/^facron: (ready|error: .*|warning: .*)$/m);
    expect(facron.log).not.toMatch(/Unknown|error/);
  });

  inReadme("has every key of the TOML", () => {
    const keys = [...ruleKeys, ...settingsKeys, ...Object.values(keysInTable).flat()];
    expect(keys.filter((key) => !new RegExp(`\\b${key}\\b`).test(readme))).toEqual([]);
    const [, section = ""] = /^## Gates$([^]*?)^## /m.exec(readme) ?? [];
    const unsaid = ["recursive", "dot_directories", "follow_symlink", "only_directory"];
    const said = gateKeys.filter((key) => !unsaid.includes(key));
    expect(said.filter((key) => !section.includes(`\`${key}\``))).toEqual([]);
    const table = /^#### How commands run$([^]*?)^####/m.exec(readme)![1]!;
    expect(actionKeyNames.filter((key) => !table.includes(`\`${key}\``))).toEqual([]);
  });

  inReadme("has every option of the help, and no other", () => {
    const optionsIn = (text: string) => new Set(text.match(/(?<=[\s`[(])--[a-z][a-z-]+/g) ?? []);
    const helps = [...commandNames, "run" as const].map(helpOf).join("");
    const known = optionsIn(`${helps} --unbuffered `); // the last is jq's
    expect([...optionsIn(readme)].filter((option) => !known.has(option))).toEqual([]);
  });
});
