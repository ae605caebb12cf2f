/** The configuration file as its user meets it: missing, unreadable, empty, wrong. */
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { answerTo, expectRefusal, nobody } from "./support.ts";

const rootTest = needsRoot("becomes another user");

describe("facron refuses a configuration", () => {
  test("that is missing, by the name that was given", async () => {
    const answer = await answerTo(["-c", "no.conf"], { cwd: tempDir().path });
    expectRefusal(answer, /Cannot read "no\.conf": no such file; create it, or name another/);
  });

  test("that is an empty directory", async () => {
    expectRefusal(await answerTo(["-c", tempDir().path]), /it is a directory without files/);
  });

  test("that is a FIFO, and does not wait for a writer", async () => {
    const dir = tempDir();
    Bun.spawnSync(["mkfifo", dir.join("fifo")]);
    expectRefusal(await answerTo(["-c", dir.join("fifo")]), /it is not a regular file/);
  });

  test("below a file", async () => {
    const file = tempDir().write("a");
    expectRefusal(await answerTo(["-c", `${file}/b`]), /a part of the path is not a directory/);
  });

  rootTest("that it may not read", async () => {
    const dir = tempDir();
    chmodSync(dir.path, 0o755);
    const file = dir.write("facron.conf", "", { mode: 0o600 });
    expectRefusal(await answerTo(["-c", file], nobody), /permission denied; run as a user who may/);
  });

  test("that is a binary", async () => {
    const answer = await answerTo(["-c", "/bin/true"]);
    expect(answer).toMatchObject({ code: 2, stdout: "" });
    expect(answer.stderr).not.toContain("\0");
  });

  test("with every mistake at its place, on stderr alone, with exit 2", async () => {
    const dir = tempDir();
    const file = dir.write(
      "facron.conf",
      `${dir.path} FAN_MODFIY /bin/true\n\n${dir.path} FAN_MODIFY "/bin/true\n`,
    );
    const { stderr, stdout, code } = await answerTo(["-c", file]);
    const column = dir.path.length + 2;
    expect(stderr).toContain(
      `${file}:1:${column}: Unknown event "FAN_MODFIY": did you mean FAN_MODIFY?`,
    );
    expect(stderr).toContain(`\n  ${" ".repeat(column - 1)}${"^".repeat("FAN_MODFIY".length)}\n`);
    expect(stderr).toMatch(/facron\.conf:3:\d+: Missing closing quote/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  });
});

describe("facron follows a configuration", () => {
  test("without rules, and says so: a reload may bring some", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", "");
    await using facron = await runBinary(["-c", file]).ready();
    expect(facron.log).toMatch(/^facron: warning: .*No rules in ".*": nothing is watched/m);
    dir.write("facron.conf", `${dir.path} close_write\n`);
    facron.signal("SIGUSR1");
    await facron.waitForLog(/reloaded/);
    dir.write("a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({ path: dir.join("a") });
  });

  test("that comes through stdin", async () => {
    const dir = tempDir();
    const stdin = `${dir.path} close_write\n`;
    await using facron = await runBinary(["-c", "/dev/stdin"], { stdin }).ready();
    dir.write("a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({ path: dir.join("a") });
  });

  test("one path of which is missing, says so and watches the others", async () => {
    const dir = tempDir();
    const missing = dir.join("missing");
    const file = dir.write("facron.conf", `${missing} close_write\n${dir.path} close_write\n`);
    await using facron = await runBinary(["-c", file]).ready();
    expect(facron.log).toMatch(/^facron: warning: .*missing/m);
    dir.write("a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({ path: dir.join("a") });
  });

  test("whose last line has no newline", async () => {
    const dir = tempDir();
    const script = dir.script("run", `echo "$#:$1" >>"$(dirname "$0")/got"`);
    const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script} last`);
    await using facron = await runBinary(["-c", file]).ready();
    dir.write("in/a");
    await facron.waitForLog(/exited 0/);
    expect(await Bun.file(dir.join("got")).text()).toBe("1:last\n");
  });

  test("with a byte order mark, CRLF line ends and comments", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", `\uFEFF# comment\r\n${dir.path} close_write\r\n`);
    await using facron = await runBinary(["-c", file]).ready();
    dir.write("a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({ path: dir.join("a") });
  });
});
