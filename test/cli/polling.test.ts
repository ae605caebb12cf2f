/** Polling what the kernel tells nothing of: changes that are made past the mount which is watched. */
import { describe, expect } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { FuseServer } from "../helpers/fuse-server.ts";
import { unmountBelow } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const fuseTest = requires({ root: "mounts a filesystem", tools: ["bindfs"] });

interface Share {
  readonly dir: TempDir;
  /** Where the other machines are: the kernel knows nothing of what is done there. */
  readonly there: (name: string) => string;
  readonly server: FuseServer;
}

async function share(names: readonly string[] = []): Promise<Share> {
  const dir = tempDir();
  const there = (name: string): string => dir.join("there", name);
  mkdirSync(dir.join("there"));
  for (const name of names) dir.write(`there/${name}`, "before");
  const server = await FuseServer.start(dir.join("there"), dir.join("share"));
  return { dir, there, server };
}

function polling(
  paths: readonly string[],
  { events = "create,delete,close_write", interval = "20ms" } = {},
): RunningBinary {
  const options = ["--backend", "poll", "--poll-interval", interval];
  return runBinary(["watch", "-r", "-e", events, ...options, ...paths]);
}

function told(facron: RunningBinary, { dir }: Share): string[] {
  return facron.events.flatMap(({ events, path }) =>
    events.map((event) => `${event} ${path!.replace(`${dir.path}/`, "")}`),
  );
}

/** A file that is complete, and told as such: what was done before it has been seen by then. */
async function untilSeen(facron: RunningBinary, { there }: Share, name: string): Promise<void> {
  writeFileSync(there(name), "x");
  const isTold = (): boolean =>
    facron.events.some(
      ({ events, path }) => events.includes("close_write") && path!.endsWith(name),
    );
  await waitFor(isTold, { what: name, state: () => facron.log });
}

/** All that it has to tell: it looks once more at its end. */
async function toldInAll(facron: RunningBinary, here: Share): Promise<string[]> {
  facron.signal("SIGTERM");
  await facron.exit();
  return told(facron, here);
}

describe("polling", () => {
  fuseTest("tells what was done past the mount, each file once and complete", async () => {
    const here = await share(["old"]);
    await using facron = await polling([here.server.path]).ready();
    for (let file = 0; file < 200; file++) writeFileSync(here.there(`f${file}`), "text");
    appendFileSync(here.there("old"), "more");
    await untilSeen(facron, here, "end");
    const closed = (await toldInAll(facron, here)).filter((one) => one.startsWith("close_write"));
    const expected = [...Array(200).keys()].map((file) => `close_write share/f${file}`);
    expect(closed.sort()).toEqual(
      [...expected, "close_write share/old", "close_write share/end"].sort(),
    );
  });

  fuseTest("a server that dies is said once, and nothing counts as deleted", async () => {
    const here = await share(["a/1", "a/2", "b/1", "b/2", "c"]);
    await using facron = await polling([here.server.path]).ready();
    await here.server.kill();
    await facron.waitForLog(/Cannot look at .*: transport endpoint is not connected/i);
    rmSync(here.there("a/1"));
    appendFileSync(here.there("b/1"), "more");
    unmountBelow(here.server.path);
    await using server = await FuseServer.start(here.there(""), here.server.path);
    expect(server.path).toBe(here.server.path);
    await untilSeen(facron, here, "end");
    expect((await toldInAll(facron, here)).sort()).toEqual([
      "close_write share/b/1",
      "close_write share/end",
      "create share/end",
      "delete share/a/1",
    ]);
    expect(facron.log.match(/Cannot /g)).toHaveLength(1);
  });

  fuseTest("a root below the mount that goes is not deleted either", async () => {
    const here = await share(["in/1", "in/2"]);
    await using facron = await polling([`${here.server.path}/in`]).ready();
    await here.server[Symbol.asyncDispose]();
    await facron.waitForLog(/Cannot look at .*: nothing is mounted at /);
    await using server = await FuseServer.start(here.there(""), here.server.path);
    expect(server.path).toBe(here.server.path);
    await untilSeen(facron, here, "in/3");
    expect(await toldInAll(facron, here)).toEqual(["create share/in/3", "close_write share/in/3"]);
  });

  fuseTest(
    "a filesystem that comes and goes below the root is neither made nor deleted",
    async () => {
      const here = await share();
      mkdirSync(here.dir.join("all/below"), { recursive: true });
      await using facron = await polling([here.dir.join("all")]).ready();
      writeFileSync(here.there("1"), "x");
      await using server = await FuseServer.start(here.there(""), here.dir.join("all/below"));
      await facron.waitForLog(/Another filesystem is at .*below/);
      await untilSeen(facron, here, "2");
      await server[Symbol.asyncDispose]();
      await waitFor(() => facron.log.match(/Another filesystem/g)?.length === 2, {
        what: "the end",
      });
      expect(await toldInAll(facron, here)).toEqual([
        "create all/below/2",
        "close_write all/below/2",
      ]);
    },
  );

  fuseTest("a server that does not answer is said, and keeps nobody from ending", async () => {
    const here = await share(["f"]);
    await using facron = await polling([here.server.path]).ready();
    here.server.stop();
    await facron.waitForLog(/Waiting for the filesystem of ".*share", which has not/, 20_000);
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    facron.signal("SIGTERM");
    expect(await facron.exit()).toEqual({ code: 0, signal: null });
    expect(facron.log).toMatch(/Ending without a last look: waiting for the filesystem/);
  });

  fuseTest("a path that others change is said at the start, with the cure", async () => {
    const here = await share();
    await using facron = await runBinary(["watch", here.server.path]).ready();
    expect(facron.log).toMatch(/Watching ".*share" on fuse: .*\n.*--backend poll/);
    await using polled = await polling([here.server.path]).ready();
    expect(polled.log).not.toContain("on fuse");
  });

  fuseTest("a clock that goes back hides no change", async () => {
    const here = await share(["f", "g"]);
    await using facron = await polling([here.server.path], {
      events: "close_write,attrib",
    }).ready();
    writeFileSync(here.there("f"), "after!");
    utimesSync(here.there("f"), 0, 0);
    await untilSeen(facron, here, "end");
    const all = await toldInAll(facron, here);
    expect(all).toContain("close_write share/f");
    expect(all.filter((one) => one.endsWith("/g"))).toEqual([]);
  });

  fuseTest("a file that grows slowly is told when it has come to rest", async () => {
    const here = await share();
    await using facron = await polling([here.server.path], { interval: "300ms" }).ready();
    const closed = (): string[] =>
      told(facron, here).filter((one) => /^close_write .*(slow|done)/.test(one));
    for (let part = 0; part < 100; part++) {
      appendFileSync(here.there("slow"), "part");
      await Bun.sleep(10); // far from an interval without a change: what is tested is time itself
    }
    expect(closed()).toEqual([]);
    renameSync(here.there("slow"), here.there("done"));
    await untilSeen(facron, here, "end");
    expect(closed()).toEqual(["close_write share/done"]);
  });
});
