import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatOf } from "../../src/config/format.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { ConfigError, type ConfigProblem } from "../../src/errors.ts";

const cwd = mkdtempSync(join(tmpdir(), "facron-load-"));
afterAll(() => rmSync(cwd, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(cwd, name), text);
  return name;
}

/** The one problem, of the file as a whole, for which `name` is not loaded. */
function refusalOf(name: string): ConfigProblem {
  try {
    loadConfiguration([name], { cwd });
  } catch (error) {
    if (error instanceof ConfigError && error.problems.length === 1) return error.problems[0]!;
    throw error;
  }
  throw new Error(`${name} is loaded`);
}

test("loadConfiguration reads a facron table, relative to cwd like the paths in it", () => {
  const name = file("facron.conf", "in FAN_OPEN /bin/sh\n");
  const { rules, warnings, dependsOn } = loadConfiguration([name], { cwd });
  expect(dependsOn).toEqual([join(cwd, "facron.conf")]);
  expect(warnings).toEqual([]);
  expect(rules.map((rule) => rule.name)).toEqual(["facron.conf:1"]);
  expect(Buffer.from(rules[0]!.watch[0]!.path).toString()).toBe(`${cwd}/in`);
});

test("loadConfiguration follows a symbolic link, and names rules after the link", () => {
  file("real.conf", "/f open\n");
  symlinkSync("real.conf", join(cwd, "link.conf"));
  expect(loadConfiguration(["link.conf"], { cwd }).rules[0]!.name).toBe("link.conf:1");
});

test("loadConfiguration returns what the dialect warns of", () => {
  const name = file("warned.conf", "/f open\n  /g open\n");
  const { warnings } = loadConfiguration([name], { cwd });
  expect(warnings).toMatchObject([{ file: "warned.conf", line: 2, column: 3 }]);
});

test.each([
  ["an empty file", ""],
  ["comments alone", "# nothing\n"],
])("loadConfiguration takes %s for a warning", (_, text) => {
  const { rules, warnings } = loadConfiguration([file("empty.conf", text)], { cwd });
  expect(rules).toEqual([]);
  expect(warnings).toMatchObject([{ line: 0, message: expect.stringMatching(/^No rules in "/) }]);
});

test("loadConfiguration takes /dev/null for an empty file", () => {
  expect(loadConfiguration(["/dev/null"], { cwd }).rules).toEqual([]);
});

test.each([
  ["gone.conf", "no such file; create it, or name another with --config"],
  ["", "it is a directory; name a file in it"],
  ["/dev/zero", "it is not a regular file; name one, or /dev/stdin"],
  ["/etc/passwd/x", "a part of the path is not a directory; correct the path"],
  ["x".repeat(300), "the name is too long; correct the path"],
  ["/dev/fd/999999", "no such descriptor; redirect one to it"],
])("loadConfiguration(%j) is refused: %s", (name, reason) => {
  expect(refusalOf(name)).toMatchObject({
    file: name,
    line: 0,
    message: `Cannot read ${JSON.stringify(name)}: ${reason}`,
  });
});

test("loadConfiguration refuses a name with NUL inside", () => {
  expect(refusalOf("a\0b").message).toStartWith('Cannot read "a\\x00b": ');
});

test("loadConfiguration refuses a link to itself", () => {
  symlinkSync("loop.conf", join(cwd, "loop.conf"));
  expect(refusalOf("loop.conf").message).toContain("too many symbolic links");
});

test("loadConfiguration does not wait for a FIFO", () => {
  expect(Bun.spawnSync(["mkfifo", join(cwd, "fifo")]).exitCode).toBe(0);
  expect(refusalOf("fifo").message).toContain("it is not a regular file");
});

test("loadConfiguration refuses a file of over 16 MiB", () => {
  const name = file("huge.conf", "# all of it is a comment");
  truncateSync(join(cwd, name), 16 * 1024 * 1024 + 1);
  expect(refusalOf(name).message).toContain("it has more than 16 MiB");
});

test("loadConfiguration reads a file of exactly 16 MiB", () => {
  const name = file("large.conf", `#${"x".repeat(16 * 1024 * 1024 - 9)}\n/f open`);
  expect(loadConfiguration([name], { cwd }).rules).toHaveLength(1);
});

test("loadConfiguration refuses a file it may not read", () => {
  const name = file("secret.conf", "");
  chmodSync(join(cwd, name), 0);
  expect(asNobody(() => refusalOf(name).message)).toContain("permission denied");
});

/** Root may read everything: for a moment be somebody who may not. */
function asNobody<T>(act: () => T): T {
  if (process.geteuid?.() !== 0) return act();
  chmodSync(cwd, 0o755);
  process.seteuid?.(65534);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

/** The names of the rules that a bun of its own loads, run by a shell as `command` says. */
function loadedBy(command: string): string {
  const script = `
    import { loadConfiguration } from ${JSON.stringify(join(import.meta.dir, "../../src/config/load.ts"))};
    const { rules } = loadConfiguration([process.argv.at(-1)], { cwd: "/" });
    console.log(rules.map(({ name }) => name).join(" "));`;
  const load = file("load.ts", script);
  const env = { ...process.env, LOAD: `${process.execPath} ${join(cwd, load)}` };
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", command], { cwd, env, timeout: 20_000 });
  return `${stdout}${stderr}`.trim();
}

test.each([
  ["a pipe", `(echo /a open; sleep 0.2; echo /b open) | $LOAD /dev/stdin`, "stdin:1 stdin:2"],
  ["a file", `echo /a open > in.conf; $LOAD /dev/stdin < in.conf`, "stdin:1"],
  ["another descriptor", `$LOAD /dev/fd/5 5< <(echo /a open)`, "5:1"],
])("loadConfiguration reads /dev/stdin to its end: %s", (_, command, names) => {
  expect(loadedBy(command)).toBe(names);
});

test("loadConfiguration refuses to read a pipe a second time: a reload would find no rules", () => {
  const script = `
    import { loadConfiguration } from ${JSON.stringify(join(import.meta.dir, "../../src/config/load.ts"))};
    loadConfiguration(["/dev/stdin"], { cwd: "/" });
    try { loadConfiguration(["/dev/stdin"], { cwd: "/" }); } catch (error) { console.log(error.message); }`;
  const twice = file("twice.ts", script);
  const stdin = new TextEncoder().encode("/a open\n");
  const { stdout } = Bun.spawnSync([process.execPath, join(cwd, twice)], {
    stdin,
    timeout: 20_000,
  });
  expect(stdout.toString()).toBe(
    'Cannot read "/dev/stdin": it was read before; start facron with a file to reload it\n',
  );
});

test.each([
  ["toml", "a.toml", ""],
  ["toml", "a.conf", '# rules\n[[rule]]\nwatch = "/a"\non = "open"\n'],
  ["toml", "a.conf", "[facron]\nmax_running = 3\n"],
  ["incron", "incron.d/a", "/a IN_OPEN x\n"],
  ["incron", "a.incron", "/a IN_OPEN x\n"],
  ["incron", "a.conf", "# 1\n/a 8 /bin/x\n"],
  ["incron", "a.conf", "/b FAN_OPEN\n/a\\ b IN_OPEN,recursive=false x\n"],
  ["incron", "a.conf", '"/a b" IN_OPEN x $% $&\n'],
  ["facron", "a.conf", "/a IN_OPEN /bin/x recursive=false 8 \n"],
  ["facron", "a.conf", "/a FAN_OPEN /bin/x $%\n"],
  ["facron", "a.conf", "# /a 8 x\n/a open\n"],
])("formatOf takes for %s: %s, %j", (name, file, text) => {
  expect(formatOf(file, new TextEncoder().encode(text)).name).toBe(name as "toml");
});

test.each([
  ["lists", `a = ${"[".repeat(200_000)}\n`],
  ["tables", `a = ${"{a=".repeat(50_000)}\n`],
  ["keys", `a${".a".repeat(50_000)} = 1\n`],
])("loadConfiguration refuses %s in each other without end, and soon", (_, text) => {
  const name = file("deep.toml", text);
  expect(() => loadConfiguration([name], { cwd })).toThrow(/Nested too deeply/);
});

test("loadConfiguration gives what is included in TOML the defaults of the file that includes it", () => {
  const rule = '[[rule]]\nwatch = "/f"\non = "open"\nrun = ["/bin/sh"]\n';
  file("inner.toml", `[facron]\nnice = 5\n${rule}`);
  file("table.conf", "/f open /bin/sh\n");
  const settings = '[facron]\ninclude = ["inner.toml", "table.conf"]\nnice = 1\numask = "027"\n';
  const { rules } = loadConfiguration([file("outer.toml", settings + rule)], { cwd });
  expect(rules.map(({ name, surroundings }) => [name, surroundings])).toEqual([
    ["outer.toml:5", { nice: 1, umask: 0o27 }],
    ["inner.toml:3", { nice: 5, umask: 0o27 }],
    ["table.conf:1", undefined],
  ]);
});

test("loadConfiguration keeps gates in the order of the files and of what they include", () => {
  const gate = (name: string): string =>
    `[[gate]]\n${name === "" ? "" : `name = "${name}"\n`}watch = "/f"\non = "open_perm"\nverdict = "deny"\n`;
  file("gates-b.toml", gate("b"));
  file("gates-d.conf", "/f FAN_OPEN_PERM /bin/true\n");
  file("gates-a.toml", `[facron]\ninclude = ["gates-b.toml", "gates-d.conf"]\n${gate("a")}`);
  file("gates-c.toml", `${gate("c")}[facron]\ngate_log = "all"\n`);
  const { gates, settings, warnings } = loadConfiguration(["gates-a.toml", "gates-c.toml"], {
    cwd,
  });
  expect(gates.map(({ name }) => name)).toEqual(["a", "b", "gates-d.conf:1", "c"]);
  expect(settings).toEqual({ gateLog: "all" });
  expect(warnings).toEqual([]);
});

test("loadConfiguration gives gates of files of one name in two directories their whole path", () => {
  const text = '[[gate]]\nwatch = "/f"\non = "open_perm"\nverdict = "deny"\n';
  for (const directory of ["one", "two"]) {
    mkdirSync(join(cwd, directory));
    file(`${directory}/same.toml`, text);
  }
  const { gates } = loadConfiguration(["one/same.toml", "two/same.toml"], { cwd });
  expect(gates.map(({ name }) => name)).toEqual(["one/same.toml:1", "two/same.toml:1"]);
});
