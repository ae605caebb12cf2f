/** `--dry-run`: everything happens but the commands, which the log shows as a shell would take them. */
import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

function rule(name: string, watch: string, rest: string): string {
  return `[[rule]]\nname = "${name}"\nwatch = ["${watch}"]\non = ["close_write"]\n${rest}\n`;
}

test("--dry-run logs the commands word for word and starts none", async () => {
  const dir = tempDir();
  const watched = dir.mkdir("in");
  const run = `run = ["/usr/bin/touch", "{path}.done", "it's"]`;
  const config = dir.write(
    "facron.toml",
    rule("x", watched, run) + rule("y", watched, `${run}\nuser = "root"\nwhen_busy = "skip"`),
  );
  await using facron = await runBinary(["--dry-run", "-c", config]).ready();
  dir.write("in/a b.csv");
  writeFileSync(Buffer.concat([utf8(`${watched}/`), fromLatin1("\xffa")]), "");
  await facron.waitForLines(2);
  await facron.stop();
  const logged = facron.log.split("\n").filter((line) => line.includes("would run"));
  expect(logged).toEqual([
    `facron: rule "x": would run /usr/bin/touch '${watched}/a b.csv.done' 'it'\\''s'`,
    `facron: rule "y": would run as root: /usr/bin/touch '${watched}/a b.csv.done' 'it'\\''s'`,
    `facron: rule "x": would run /usr/bin/touch $'${watched}/\\xffa.done' 'it'\\''s'`,
    `facron: rule "y": would run as root: /usr/bin/touch $'${watched}/\\xffa.done' 'it'\\''s'`,
  ]);
  expect(existsSync(`${watched}/a b.csv.done`)).toBe(false);
  expect(facron.log).not.toContain("exited");
});
