/** The gate thread comes before those that wait for it, and nothing else of facron's does. */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { linesOf } from "./support.ts";

const rootTest = needsRoot("gates, and a niceness below 0");

/** Of each thread: field 19 of proc_pid_stat(5). */
function nicenessOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  });
}

rootTest("the gate thread alone has a higher priority, and commands have not", async () => {
  const dir = tempDir();
  const [gated, input, ran] = [dir.mkdir("gated"), dir.mkdir("in"), dir.join("ran")];
  const config = dir.write(
    "facron.toml",
    `[[gate]]\nwatch = "${gated}"\non = "open_perm"\nverdict = "deny"\n` +
      `[[rule]]\nwatch = "${input}"\non = "close_write"\nshell = "nice >>${ran}"\n`,
  );
  await using facron = await runBinary(["-c", config]).ready();
  dir.write("in/file");
  await waitFor(() => linesOf(ran).length > 0, { what: "the command", state: () => facron.log });
  expect(linesOf(ran)).toEqual(["0"]);
  const own = nicenessOf(facron.pid);
  expect(own.filter((nice) => nice < 0)).toEqual([-14]);
  expect(nicenessOf(facron.pid)[0]).toBe(0);
});
