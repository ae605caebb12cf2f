/** The command line: every option and alias is taken, everything else is answered in one sentence. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { version } from "../../package.json";
import { isRoot } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { answerTo, by, expectRefusal } from "./support.ts";

describe("facron follows the file named by", () => {
  const spellings = {
    "-c FILE": ["-c"],
    "--conf FILE": ["--conf"],
    "--config FILE": ["--config"],
    "--config=FILE": null,
  };
  for (const [claim, words] of Object.entries(spellings)) {
    test(claim, async () => {
      const dir = tempDir();
      const file = dir.write("facron.conf", `${dir.path} close_write\n`);
      const args = words === null ? [`--config=${file}`] : [...words, file];
      await using facron = await runBinary(args).ready();
      dir.write("a");
      const event = await facron.waitForEvent("a line", () => true);
      expect(event).toMatchObject({ rules: ["facron.conf:1"], path: dir.join("a") });
    });
  }

  test("a path relative to the working directory, where its relative paths start too", async () => {
    const dir = tempDir();
    dir.mkdir("in");
    dir.write("facron.conf", "in close_write\n");
    await using facron = await runBinary(["-c", "facron.conf"], { cwd: dir.path }).ready();
    dir.write("in/a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({
      path: dir.join("in/a"),
    });
  });

  test("nobody: then it is /etc/facron.conf, and its name is said when it is missing", async () => {
    const answer = await answerTo([], withoutEtc());
    expectRefusal(answer, /"\/etc\/facron\.conf": no such file/);
  });

  test("nobody, and /etc/facron.conf is there", async () => {
    const dir = tempDir();
    const table = `${dir.path} close_write`;
    const script = `mount -t tmpfs facron-test /etc && echo '${table}' >/etc/facron.conf && exec "$0" "$@"`;
    await using facron = await runBinary([], inNamespace(script)).ready();
    dir.write("a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({ path: dir.join("a") });
  });
});

/** Where there is no /etc/facron.conf, whatever this machine has: that needs root. */
function withoutEtc() {
  return isRoot() ? inNamespace('mount -t tmpfs facron-test /etc && exec "$0" "$@"') : {};
}

function inNamespace(script: string) {
  const { command } = by(script);
  return { command: ["unshare", "--mount", "--propagation=private", ...command] };
}

describe("facron watch takes", () => {
  const events = {
    "-e EVENT": ["-e", "create"],
    "-e EVENT,EVENT": ["-e", "create,delete"],
    "--events=EVENT": ["--events=create"],
    "--event EVENT": ["--event", "create"],
    "-e more than once": ["-e", "delete", "-e", "create"],
    "the names of fanotify": ["-e", "FAN_CREATE"],
    "the names of inotify": ["-e", "IN_CREATE"],
    "-b auto": ["-e", "create", "-b", "auto"],
    "--backend fanotify": ["-e", "create", "--backend", "fanotify"],
    "--backend=inotify": ["-e", "create", "--backend=inotify"],
    "options behind the path": null,
  };
  for (const [claim, options] of Object.entries(events)) {
    test(claim, async () => {
      const dir = tempDir();
      const args = options === null ? [dir.path, "-e", "create"] : [...options, dir.path];
      await using facron = await runBinary(["watch", ...args]).ready();
      dir.write("a", "text");
      const event = await facron.waitForEvent("a line", () => true);
      expect(event).toMatchObject({ rules: ["watch"], events: ["create"], path: dir.join("a") });
    });
  }

  for (const option of ["-r", "--recursive"]) {
    test(option, async () => {
      const dir = tempDir();
      dir.mkdir("sub");
      await using facron = await runBinary(["watch", option, dir.path, "-e", "create"]).ready();
      dir.write("sub/a");
      expect(await facron.waitForEvent("a line", () => true)).toMatchObject({
        path: dir.join("sub/a"),
      });
    });
  }

  test("many paths, relative ones too", async () => {
    const dir = tempDir();
    const args = ["watch", "-e", "create", dir.mkdir("a"), "b", "./c/"];
    for (const name of ["b", "c"]) dir.mkdir(name);
    await using facron = await runBinary(args, { cwd: dir.path }).ready();
    for (const name of ["a", "b", "c"]) dir.write(`${name}/new`);
    await facron.waitForLines(3);
    expect(facron.events.map(({ path }) => path)).toEqual(
      ["a", "b", "c"].map((name) => dir.join(name, "new")),
    );
  });

  test("a path that starts with a dash behind --", async () => {
    const dir = tempDir();
    dir.mkdir("-r");
    const args = ["watch", "-e", "create", "--", "-r"];
    await using facron = await runBinary(args, { cwd: dir.path }).ready();
    dir.write("-r/a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({
      path: dir.join("-r/a"),
    });
  });

  test("a path that is not UTF-8, byte for byte", async () => {
    const dir = tempDir();
    const name = Buffer.from(`${dir.path}/caf\xe9`, "latin1");
    mkdirSync(name);
    const script = `exec "$0" watch -e create "$1/$(printf 'caf\\351')"`;
    await using facron = await runBinary([dir.path], by(script)).ready();
    writeFileSync(Buffer.concat([name, Buffer.from("/a")]), "");
    const event = await facron.waitForEvent("a line", () => true);
    const bytes = Buffer.concat([name, Buffer.from("/a")]).toString("base64");
    expect(event).toMatchObject({ path: dir.join("caf\uFFFD/a"), path_bytes: bytes });
  });
});

describe("facron answers", () => {
  for (const words of [["--help"], ["-h"], ["watch", "--help"], ["watch", "-h"]]) {
    test(`${words.join(" ")} on stdout with exit 0`, async () => {
      const { stdout, stderr, code } = await answerTo(words);
      expect(stdout).toMatch(/^facron.*\n\nUsage:\n[^]*\nExamples:\n[^]*\n$/);
      expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    });
  }

  for (const word of ["--version", "-V"]) {
    test(`${word} with the version of package.json`, async () => {
      const { stdout, stderr, code } = await answerTo([word]);
      expect({ stdout, stderr, code }).toEqual({
        stdout: `facron ${version}\n`,
        stderr: "",
        code: 0,
      });
    });
  }
});

describe("facron refuses", () => {
  const refusals: Record<string, [words: readonly string[], says: RegExp]> = {
    "an unknown option": [["--bogus"], /Unknown option "--bogus": see facron --help/],
    "an unknown option, and says what was meant": [
      ["--confg", "x"],
      /Unknown option "--confg": did you mean --config\?/,
    ],
    "an option of the other command": [
      ["watch", "--config", "x", "/"],
      /Unknown option "--config"/,
    ],
    "an option without its value": [["--config"], /Option --config needs a value/],
    "an alias without its value": [["-c"], /Option -c needs a value/],
    "an option in the place of a value": [["--config", "--daemon"], /--config needs a value/],
    "an empty value": [["--config="], /Option --config needs a value/],
    "an empty value as a word": [["-c", ""], /Option -c needs a value/],
    "a value for a flag": [["--daemon=yes"], /Option --daemon takes no value/],
    "an option given twice": [
      ["--max-running=1", "--max-running", "2"],
      /--max-running is given twice: "1" and "2"/,
    ],
    "an extra word": [["extra"], /Unexpected word "extra"/],
    "an extra word behind --": [["--", "extra"], /Unexpected word "extra"/],
    "a command that is mistyped, and says what was meant": [["wacth", "/"], /did you mean watch\?/],
    "no commands at once": [["--max-running", "0"], /--max-running needs a whole number from 1/],
    "a number that is none": [["--max-running=4x"], /--max-running needs a whole number from 1/],
    "watch without a path": [["watch"], /No PATH to watch/],
    "watch with options only": [["watch", "-r", "--"], /No PATH to watch/],
    "an empty path": [["watch", ""], /Cannot watch "": the path is empty/],
    "an unknown event": [["watch", "-e", "zzz", "/"], /Unknown event "zzz"/],
    "an unknown event, and says what was meant": [
      ["watch", "-e", "create,close_wirte", "/"],
      /Unknown event "close_wirte": did you mean close_write\?/,
    ],
    "an empty list of events": [["watch", "-e", ",", "/"], /Missing event in ","/],
    "permission events": [["watch", "-e", "open_perm", "/"], /Cannot use "open_perm"/],
    "an unknown backend": [
      ["watch", "-b", "magic", "/"],
      /"magic": use auto, fanotify, inotify or poll/,
    ],
    "watch with an unknown type": [
      ["watch", "-t", "file,fifo", "/"],
      /Unknown type "fifo": use file, dir or symlink/,
    ],
    "watch with a range that runs backwards": [
      ["watch", "-x", "[z-a]", "/"],
      /the range "z-a": it runs/,
    ],
    "watch with a bracket that is open": [
      ["watch", "-i", "*.[ch", "/"],
      /Missing "]" in the pattern/,
    ],
    "watch with a comma too many": [["watch", "-e", "create,", "/"], /Missing event after ","/],
    "watch with a pattern that is none": [["watch", "-x", "!a", "/"], /Cannot use "!a": a pattern/],
    "watch with a directory for ignore file": [
      ["watch", "--ignore-file", "x/", "/"],
      /Cannot use "x\/" as an ignore file: it is a directory/,
    ],
    "watch with an empty backend": [["watch", "--backend=", "/"], /--backend needs a value/],
    "the hidden word of a daemon that nobody started": [["__daemon", "--bogus"], /"--bogus"/],
  };
  for (const [claim, [words, says]] of Object.entries(refusals)) {
    test(claim, async () => expectRefusal(await answerTo(words), says));
  }

  test("a letter that is no option without guessing at another one", async () => {
    const { stderr } = await answerTo(["-x"]);
    expect(stderr).not.toContain("did you mean");
  });

  test("a path that does not exist", async () => {
    const path = tempDir().join("nowhere");
    const says = `Cannot watch "${path}": there is no such file or directory`;
    expectRefusal(await answerTo(["watch", path]), says, 1);
  });

  test("a path with control characters on one line", async () => {
    const path = tempDir().join("a\nfacron: ready\x1b[2J");
    expectRefusal(await answerTo(["watch", path]), /"[^"]*\/a\\nfacron: ready\\x1b\[2J"/, 1);
  });
});
