/** facron never feeds on its own output: one line would cause the next, and no disk is large enough. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Quiet } from "../contract/quiet.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { requires } from "../helpers/requires.ts";
import {
  binaryPath,
  type EventLine,
  runBinary,
  type RunningBinary,
} from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = requires({ root: "uses fanotify" });

interface Started {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
  /** The events in a log, as "EVENT NAME". */
  readonly told: (log?: string) => Promise<string[]>;
}

/** facron as a shell starts it in D, with redirections; it is ready. */
async function start(redirection: string, args: string, before = "true"): Promise<Started> {
  const dir = tempDir();
  dir.mkdir("D/sub");
  Bun.spawnSync(["/bin/sh", "-c", before], { cwd: dir.join("D") });
  const script = `cd ${dir.join("D")} && exec "$0" ${args} ${redirection}`;
  const facron = runBinary([], { command: ["/bin/sh", "-c", script, binaryPath] });
  const stderr = /2> *(\S+)/.exec(redirection)?.[1];
  const log = () => (stderr === undefined ? facron.log : textOf(dir.join("D", stderr)));
  await waitFor(() => log().includes("facron: ready\n"), { what: "ready" });
  const quiet = new Quiet(facron.pid);
  atTestEnd(() => quiet[Symbol.dispose]());
  const told = async (file?: string): Promise<string[]> => {
    await quiet.wait();
    const text = file === undefined ? null : readFileSync(dir.join("D", file), "utf8");
    const lines = text === null ? facron.events : eventsIn(text);
    return textsOf(lines);
  };
  return { dir, facron, told };
}

/**
 * One text an event: the kernel puts two into one record if nobody has read the first yet, so that
 * is a matter of speed. Without modify: some ways to write a file truncate it first, some do not.
 */
function textsOf(lines: readonly EventLine[]): string[] {
  return lines.flatMap(({ events, path }) => {
    const names = events.filter((name) => name !== "modify" && name !== "attrib");
    return names.map((name) => `${name} ${basename(path!)}`);
  });
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function eventsIn(text: string): EventLine[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as EventLine);
}

const marker = ["create marker", "close_write marker"];

describe.each(["fanotify", "inotify"] as const)("with %s", (backend) => {
  const all = "-e create,modify,close_write,attrib,delete,rename,moved_from,moved_to";

  rootTest("watch D >D/log tells what others do, and nothing of the log", async () => {
    const { dir, told } = await start(">log", `watch -b ${backend} ${all} .`);
    dir.write("D/marker");
    expect(await told("log")).toEqual(marker);
  });

  rootTest("watch -r D >D/sub/log neither", async () => {
    const { dir, told } = await start(
      ">sub/log",
      `watch -r -b ${backend} -e create,modify,close_write .`,
    );
    dir.write("D/marker");
    expect(await told("sub/log")).toEqual(marker);
  });

  rootTest("watch D >>D/log through another path to D neither", async () => {
    const { dir, told } = await start(
      ">>log",
      `watch -b ${backend} -e create,modify,close_write ../L`,
      "ln -s D ../L",
    );
    dir.write("D/marker");
    expect(await told("log")).toEqual(marker);
  });

  rootTest("watch D 2>D/log neither", async () => {
    const { dir, facron, told } = await start(
      "2> log",
      `watch -b ${backend} -e create,modify,close_write .`,
    );
    dir.write("D/marker");
    await facron.waitForEvent("the marker", ({ path }) => path!.endsWith("marker"));
    expect(await told()).toEqual(marker);
    facron.signal("SIGTERM"); // which is a line of the log
    await facron.exit();
    expect(textsOf(facron.events)).toEqual(marker);
  });

  rootTest("a log that is renamed stays out, and its old name is anyone's", async () => {
    const { dir, told } = await start(">log", `watch -b ${backend} -e create,modify,close_write .`);
    await rename(dir, "log", "log.1");
    dir.write("D/marker");
    expect(await told("log.1")).toEqual(marker);
    dir.write("D/log");
    const again = marker.map((line) => line.replace("marker", "log"));
    expect(await told("log.1")).toEqual([...marker, ...again]);
  });

  rootTest("a log that is renamed into a sub-directory stays out", async () => {
    const { dir, told } = await start(
      ">log",
      `watch -r -b ${backend} -e create,modify,close_write .`,
    );
    await rename(dir, "log", "sub/log");
    await told("sub/log");
    await rename(dir, "sub", "below");
    dir.write("D/marker");
    expect(await told("below/log")).toEqual(marker);
  });

  rootTest("another name of the log stays out", async () => {
    const { dir, told } = await start(">log", `watch -b ${backend} -e modify,close_write .`);
    Bun.spawnSync(["ln", dir.join("D/log"), dir.join("D/link")]);
    dir.write("D/marker");
    expect(await told("log")).toEqual(["close_write marker"]);
  });

  rootTest("what a command writes to the log makes no further one", async () => {
    const prefix = backend === "inotify" ? "IN_" : "FAN_";
    const more = backend === "inotify" ? "" : "|FAN_EVENT_ON_CHILD";
    const script = `printf '. ${prefix}MODIFY${more} /bin/sh -c "echo says $0" $#\\n' >../table`;
    const { dir, facron } = await start("2> log", "-c ../table", script);
    dir.write("D/marker", "text");
    const log = () => readFileSync(dir.join("D/log"), "utf8");
    await waitFor(() => log().includes("says marker"), { what: "the command" });
    dir.write("D/second", "text");
    await waitFor(() => log().includes("says second"), { what: "the second command" });
    const lines = facron.events.map(({ path }) => basename(path!));
    expect(lines.filter((name, at) => name !== lines[at - 1])).toEqual(["marker", "second"]);
  });

  rootTest("the log itself cannot be watched", async () => {
    const dir = tempDir();
    dir.write("log");
    const script = `exec "$0" watch -b ${backend} ${dir.join("log")} >>${dir.join("log")}`;
    const facron = runBinary([], { command: ["/bin/sh", "-c", script, binaryPath] });
    expect((await facron.exit()).code).toBe(1);
    expect(facron.log).toContain("facron's own output goes there");
  });
});

async function rename(dir: TempDir, from: string, to: string): Promise<void> {
  Bun.spawnSync(["mv", dir.join("D", from), dir.join("D", to)]);
}
