/** Names that are not UTF-8: of the working directory, of a configuration, of what is asked about. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { answerTo, by, expectRefusal } from "./support.ts";

const rootTest = needsRoot("only root must not follow what others can write");

/** A directory `caf\xe9`, and what makes its files. */
function oddPlace() {
  const dir = tempDir();
  const path = (name = ""): Buffer =>
    Buffer.concat([Buffer.from(`${dir.path}/`), Buffer.from(`caf\xe9${name}`, "latin1")]);
  mkdirSync(path());
  mkdirSync(path("/in"));
  return { dir, path, base64: (name: string) => path(name).toString("base64") };
}

/** Runs facron in that directory. */
function inside(dir: { readonly path: string }, redirection = "") {
  return by(`cd "${dir.path}/$(printf 'caf\\351')" && exec "$0" "$@" ${redirection}`);
}

describe("in a directory whose name is not UTF-8", () => {
  test("watch takes relative paths", async () => {
    const { dir, path, base64 } = oddPlace();
    const args = ["watch", "-e", "create", ".", "./in/"];
    await using facron = await runBinary(args, inside(dir)).ready();
    writeFileSync(path("/a"), "");
    writeFileSync(path("/in/b"), "");
    await facron.waitForLines(2);
    expect(facron.events.map((event) => event["path_bytes"])).toEqual([
      base64("/a"),
      base64("/in/b"),
    ]);
  });

  for (const [name, text] of [
    [
      "a.toml",
      '[facron]\ninclude = ["b.conf"]\n[[rule]]\nwatch = "in"\non = "create"\nrun = ["./run", "{path}"]\n',
    ],
    ["a.conf", "in IN_CREATE ./run $$\n"],
  ] as const) {
    test(`so do the paths, programs and files in ${name}, also after a reload`, async () => {
      const { dir, path } = oddPlace();
      writeFileSync(path(`/${name}`), text);
      writeFileSync(path("/b.conf"), "in IN_DELETE\n");
      writeFileSync(path("/run"), `#!/bin/sh\nprintf '%s' "$1" >"${dir.path}/ran"\n`);
      chmodSync(path("/run"), 0o755);
      await using facron = await runBinary(["-c", name, "--watch-config"], inside(dir)).ready();
      expect(facron.log).not.toMatch(/warning|error/);
      writeFileSync(path("/in/x"), "");
      await facron.waitForLog(/"\.\/run" exited 0/);
      expect(readFileSync(dir.join("ran"), "latin1")).toBe(path("/in/x").toString("latin1"));
      writeFileSync(path(`/${name}`), `${text}# changed\n`);
      await facron.waitForLog(/reloaded, watching/);
    });
  }

  test("--daemon works", async () => {
    const { dir, path } = oddPlace();
    writeFileSync(path("/a.conf"), `in IN_CREATE /usr/bin/touch ${dir.path}/ran\n`);
    expect(await answerTo(["-d", "-c", "a.conf"], inside(dir))).toMatchObject({ code: 0 });
    writeFileSync(path("/in/x"), "");
    await waitFor(() => existsSync(dir.join("ran")), { what: "the command" });
  });
});

describe("a configuration whose name is not UTF-8", () => {
  const facron = (args: string): ReturnType<typeof by> =>
    by(`exec "$0" ${args.replaceAll("FILE", "$1/$(printf 'c\\351.conf')")}`);

  function oddFile(text: string, mode = 0o644) {
    const dir = tempDir();
    const path = Buffer.concat([Buffer.from(`${dir.path}/`), Buffer.from("c\xe9.conf", "latin1")]);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return dir;
  }

  for (const option of ['-c "FILE"', '--config="FILE"']) {
    test(`is read with ${option}, and read again`, async () => {
      const dir = oddFile("/tmp IN_CREATE\n");
      await using running = await runBinary([dir.path], facron(option)).ready();
      running.signal("SIGHUP");
      await running.waitForLog(/reloaded, watching/);
      dir.write("x");
    });
  }

  test("is shown as far as that goes", async () => {
    const dir = oddFile("/tmp IN_CREAT\n");
    const text = await answerTo([dir.path], facron('check "FILE"'));
    expect(text.stdout).toContain("/c\ufffd.conf:1:6: Unknown event");
    const { stdout } = await answerTo([dir.path], facron('check --json "FILE"'));
    expect(JSON.parse(stdout).problems[0].file).toBe(dir.join("c\ufffd.conf"));
  });

  rootTest("is trusted like any other", async () => {
    const dir = oddFile("/tmp IN_CREATE\n", 0o666);
    const { stdout, code } = await answerTo([dir.path], facron('check "FILE"'));
    expect(stdout).toMatch(/Cannot trust ".*c\ufffd\.conf": it can be written by everybody/);
    expect(code).toBe(2);
  });

  test("is refused by --daemon, which cannot pass its name on", async () => {
    const dir = oddFile("/tmp IN_CREATE\n");
    expectRefusal(
      await answerTo([dir.path], facron('-d -c "FILE"')),
      /with --daemon: it is not UTF-8;/,
    );
  });
});

describe("explain --event", () => {
  test("takes paths that are not UTF-8, byte for byte", async () => {
    const dir = tempDir();
    const rule = `[[rule]]\nwatch = "${dir.path}"\non = "rename"\ninclude = "?\\ufffd"\n`;
    const tables = [
      ["r.toml", rule],
      ["r.conf", `${dir.path} rename /bin/echo $$\n`],
    ] as const;
    for (const [name, text] of tables) dir.write(name, text);
    const script = `x="$1/$(printf 'a\\351')"; exec "$0" explain --json -c "$1/r.toml" -c "$1/r.conf" --event rename --from "$x" "$x"`;
    const { stdout } = await answerTo([dir.path], by(script));
    const [answer] = JSON.parse(stdout).paths;
    const path = Buffer.concat([Buffer.from(`${dir.path}/a`), Buffer.of(0xe9)]);
    expect(answer).toMatchObject({
      path: dir.join("a\ufffd"),
      path_bytes: path.toString("base64"),
      rules: [
        { rule: "r.toml:1", fires: false },
        { rule: "r.conf:1", fires: true },
      ],
    });
    expect(answer.rules[1].argv_bytes.at(-1)).toBe(path.toString("base64"));
  });
});
