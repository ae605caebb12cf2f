/** The stream: JSON lines only, their fields in the documented order; the log is on stderr. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { expectNoGap, stopped } from "./support.ts";

const rootTest = needsRoot("sets the length of the kernel's queue");

const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`;

/** A line with these fields in this order, and no other. @param fields what comes behind the time */
function line(seq: number, fields: string): RegExp {
  return new RegExp(`^\\{"v":1,"seq":${seq},"time":"${time}",${fields}\\}$`);
}

for (const backend of ["fanotify", "inotify"] as const) {
  const pid = backend === "fanotify" ? String.raw`,"pid":${process.pid}` : "";
  const watch = ["watch", "--backend", backend];

  describe(`a line of ${backend}`, () => {
    test("about a file", async () => {
      const dir = tempDir();
      await using facron = await runBinary([...watch, "-e", "create", dir.path]).ready();
      dir.write("a");
      const fields = `"rules":\\["watch"\\],"events":\\["create"\\],"path":"${dir.path}/a"${pid}`;
      expect((await facron.waitForLines(1))[0]).toMatch(line(1, fields));
    });

    test("about a directory", async () => {
      const dir = tempDir();
      await using facron = await runBinary([...watch, "-e", "create", dir.path]).ready();
      dir.mkdir("a");
      const fields = `"rules":\\["watch"\\],"events":\\["create"\\],"path":"${dir.path}/a","dir":true${pid}`;
      expect((await facron.waitForLines(1))[0]).toMatch(line(1, fields));
    });

    test("about a rename", async () => {
      const dir = tempDir();
      dir.write("a");
      await using facron = await runBinary([...watch, "-e", "rename", dir.path]).ready();
      renameSync(dir.join("a"), dir.join("b"));
      const fields = `"rules":\\["watch"\\],"events":\\["rename"\\],"path":"${dir.path}/b","from":"${dir.path}/a"${pid}`;
      expect((await facron.waitForLines(1))[0]).toMatch(line(1, fields));
    });

    test("about a name that is not UTF-8, with quotes and control characters", async () => {
      const dir = tempDir();
      await using facron = await runBinary([...watch, "-e", "create", dir.path]).ready();
      const path = Buffer.from(`${dir.path}/"\\\n\x01\x7f\xff`, "latin1");
      writeFileSync(path, "");
      const escaped = String.raw`\\"\\\\\\n\\u0001` + "\x7f\uFFFD";
      const base64 = path.toString("base64").replaceAll("+", "\\+");
      const fields = `"rules":\\["watch"\\],"events":\\["create"\\],"path":"${dir.path}/${escaped}"${pid},"path_bytes":"${base64}"`;
      expect((await facron.waitForLines(1))[0]).toMatch(line(1, fields));
    });

    rootTest("about events that were lost, which the log says too", async () => {
      const dir = tempDir();
      await using facron = runBinary([...watch, "-e", "create", dir.path]);
      await withUsualQueue(backend, () => facron.ready());
      await stopped(facron);
      for (let i = 0; i < 17_000; i++) mkdirSync(dir.join(`${i}`));
      facron.signal("SIGCONT");
      const lost = await facron.waitForEvent("the loss", ({ lost }) => lost === true);
      const overflow = line(lost.seq, `"events":\\["q_overflow"\\],"lost":true`);
      expect(facron.lines[lost.seq - 1]).toMatch(overflow);
      await facron.waitForLog(
        new RegExp(`warning: Events were lost:.*fs.${backend}.max_queued_events`),
      );
      expect(lost.seq).toBe(16_385);
    });
  });
}

/** The kernel reads the length of a queue when it is opened: what a benchmark needs may be set here. */
async function withUsualQueue(backend: string, open: () => Promise<unknown>): Promise<void> {
  const sysctl = `/proc/sys/fs/${backend}/max_queued_events`;
  const before = readFileSync(sysctl, "utf8");
  try {
    writeFileSync(sysctl, "16384");
    await open();
  } finally {
    writeFileSync(sysctl, before);
  }
}

describe("stdout", () => {
  test("has the events that one record of the kernel carries in one line", async () => {
    const dir = tempDir();
    const args = ["watch", "--backend", "fanotify", "-e", "create,modify,close_write", dir.path];
    await using facron = await runBinary(args).ready();
    await stopped(facron);
    dir.write("a", "text");
    facron.signal("SIGCONT");
    const event = await facron.waitForEvent("a line", () => true);
    expect(event.events).toEqual(["create", "modify", "close_write"]);
  });

  test("names every rule that a record met, once", async () => {
    const dir = tempDir();
    const table = `${dir.path} close_write\n${dir.path} create\n${dir.path} close\n`;
    await using facron = await runBinary(["-c", dir.write("../facron.conf", table)]).ready();
    dir.write("a");
    const event = await facron.waitForEvent("close_write", ({ events }) =>
      events.includes("close_write"),
    );
    expect(event["rules"]).toEqual(expect.arrayContaining(["facron.conf:1", "facron.conf:3"]));
  });

  test("has nothing but lines; the log is on stderr, and says ready once", async () => {
    const dir = tempDir();
    const script = dir.script("noisy", "echo noise; echo noise >&2");
    const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script}\n`);
    await using facron = await runBinary(["-c", file]).ready();
    for (let i = 0; i < 20; i++) dir.write(`in/${i}`);
    facron.signal("SIGUSR1");
    await facron.waitForLog(/reloaded/);
    await facron.stop();
    expect(facron.events).toHaveLength(20);
    expect(facron.cutLine).toBe("");
    expectNoGap(facron);
    expect(facron.log.match(/^facron: ready$/gm)).toHaveLength(1);
    expect(facron.log.match(/^noise$/gm)).toHaveLength(40);
  });
});

test("facron is ready once every watch of a tree is set", async () => {
  const dir = tempDir();
  for (let i = 0; i < 1000; i++) dir.mkdir(`${i % 10}/${i}/deep`);
  const args = ["watch", "-r", "-e", "create", dir.path];
  await using facron = await runBinary(args).ready();
  for (let i = 0; i < 1000; i++) dir.write(`${i % 10}/${i}/deep/a`);
  await facron.waitForLines(1000);
  expectNoGap(facron);
});

for (const backend of ["fanotify", "inotify"]) {
  test(`the log counts the marks of a whole tree, by ${backend}`, async () => {
    const dir = tempDir();
    for (let i = 0; i < 100; i++) dir.mkdir(`${i}/deep`);
    await using facron = await runBinary(["watch", "-r", "-b", backend, dir.path]).ready();
    const counted = new RegExp(
      `^facron: watching 1 path for 1 rule: ${backend} 1 \\(201 marks\\)$`,
      "m",
    );
    expect(facron.log).toMatch(counted);
  });

  test(`a rename of a file that is being written is told once, by ${backend}`, async () => {
    const dir = tempDir();
    dir.write("a");
    await using facron = await runBinary(["watch", "-b", backend, dir.path]).ready();
    await stopped(facron);
    const script = 'exec 3>>"$0/a"; echo text >&3; exec mv "$0/a" "$0/b"'; // one pid; then it is closed
    Bun.spawnSync(["/bin/sh", "-c", script, dir.path]);
    facron.signal("SIGCONT");
    await facron.waitForEvent("its end", ({ events }) => events.includes("close_write"));
    const names = facron.events.flatMap(({ events }) => events);
    expect(names.filter((name) => /^(rename|moved_.*)$/.test(name))).toEqual(["rename"]);
  });
}
