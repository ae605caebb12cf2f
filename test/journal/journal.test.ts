/** The journal's thread on a real file: what was added is there until it is done with. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { eventBits } from "../../src/event.ts";
import { placeOf } from "../../src/journal/place.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { startProcess } from "../helpers/processes.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { bufferOf, rowsOf, TestJournal, testPlace } from "./support.ts";

const names = ["import", "other"];
const alone = ["import"];

async function opened(place = testPlace(), rules = names): Promise<TestJournal> {
  const one = new TestJournal(place);
  await one.follow(rules);
  return one;
}

describe("a journal", () => {
  test("gives each trigger a ticket of its own, and gives them back in their order", async () => {
    const place = testPlace();
    const one = await opened(place);
    one.journal.add(names, bufferOf(["/a", "/b"]));
    one.journal.add(names, bufferOf(["/c"], { rule: 1 }));
    expect(await one.waitForCame(3)).toEqual([
      { rule: "import", path: "/a", ticket: 1, isFromBefore: false },
      { rule: "import", path: "/b", ticket: 2, isFromBefore: false },
      { rule: "other", path: "/c", ticket: 3, isFromBefore: false },
    ]);
    expect(rowsOf(place, "SELECT id FROM entry")).toHaveLength(3); // in the file before it is told
  });

  test("hands over what was not done with at the next start, in order, and then what is new", async () => {
    const place = testPlace();
    const first = await opened(place);
    first.journal.add(names, bufferOf(["/a", "/b", "/c"]));
    await first.waitForCame(3);
    first.journal.started([2]);
    first.journal.succeeded([2]);
    await first.close();
    const second = new TestJournal(place);
    const otherwise = ["other", "import"]; // their indices have changed
    await second.follow(otherwise);
    second.journal.add(otherwise, bufferOf(["/new"], { rule: 1 }));
    expect(await second.waitForCame(3)).toEqual([
      { rule: "import", path: "/a", ticket: 1, isFromBefore: true },
      { rule: "import", path: "/c", ticket: 3, isFromBefore: true },
      { rule: "import", path: "/new", ticket: 4, isFromBefore: false },
    ]);
  });

  test("gives no ticket twice, also when all of before are done", async () => {
    const place = testPlace();
    const first = await opened(place);
    first.journal.add(names, bufferOf(["/a", "/b"]));
    await first.waitForCame(2);
    first.journal.succeeded([1, 2]);
    await first.close();
    const second = await opened(place);
    second.journal.add(names, bufferOf(["/c"]));
    expect((await second.waitForCame(1))[0]!.ticket).toBe(3);
  });

  test("keeps what was given up with its error, and does not run it again", async () => {
    const place = testPlace();
    const first = await opened(place);
    first.journal.add(names, bufferOf(["/a", "/b"]));
    await first.waitForCame(2);
    first.journal.gaveUp([1], { error: "exited 3", attempts: 4 });
    await first.close();
    expect(rowsOf(place, "SELECT id, attempts, error FROM dead")).toEqual([
      { id: 1, attempts: 4, error: "exited 3" },
    ]);
    const second = await opened(place);
    expect((await second.waitForCame(1)).map(({ path }) => path)).toEqual(["/b"]);
  });

  test("keeps the entries of a rule that is gone, says so, and hands them over when it is back", async () => {
    const place = testPlace();
    const first = await opened(place);
    first.journal.add(names, bufferOf(["/a"]));
    await first.waitForCame(1);
    await first.close();
    const second = await opened(place, ["renamed"]);
    const both = ["renamed", "import"];
    expect(second.log.lines.join("\n")).toContain(
      '1 event waits in the journal for the rule "import"',
    );
    expect(second.came).toEqual([]);
    await second.follow(both); // a reload
    expect((await second.waitForCame(1))[0]!.rule).toBe("import");
    await second.follow(both);
    await second.close();
    expect(second.came).toHaveLength(1); // and only once
  });

  test("counts runs that were interrupted", async () => {
    const place = testPlace();
    const first = await opened(place);
    first.journal.add(names, bufferOf(["/a"]));
    await first.waitForCame(1);
    first.journal.started([1]);
    await waitFor(() => rowsOf(place, "SELECT id FROM run").length === 1, {
      what: "the run in the file",
    });
    await first.close();
    const second = await opened(place);
    await second.waitForCame(1);
    expect(rowsOf(place, "SELECT interrupted FROM entry")).toEqual([{ interrupted: 1 }]);
    expect(second.log.lines).toContain("warn: Commands that were interrupted and are run again: 1");
  });

  test("is its owner's alone", async () => {
    const place = testPlace();
    const one = await opened(place);
    one.journal.add(names, bufferOf(["/a"]));
    await one.waitForCame(1);
    expect(statSync(place.directory).mode & 0o777).toBe(0o700);
    for (const file of [
      place.file,
      `${place.file}-wal`,
      `${place.file}-shm`,
      place.lock,
      place.wake,
    ])
      expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
  });
});

describe("a journal looks back", () => {
  const both = eventBits.create | eventBits.close_write;

  async function stopped(readUntil: number | null, paths: readonly string[]) {
    const place = testPlace();
    const first = new TestJournal(place);
    await first.follow(alone, true);
    first.journal.add(alone, bufferOf(paths));
    await first.waitForCame(paths.length);
    if (readUntil !== null) first.journal.allIsReadUntil(readUntil);
    return { place, first };
  }

  test("to two seconds before the last moment of which all was read", async () => {
    const soon = nowMicroseconds() + 10_000_000;
    const { place, first } = await stopped(soon, ["/a"]);
    await first.close();
    const second = new TestJournal(place);
    expect(await second.follow(["new", "import"], true)).toEqual({
      since: soon - 2_000_000,
      rules: [1], // the other was not there: what happened before it is not for it
    });
  });

  test("no further than to when the rule was new", async () => {
    const before = nowMicroseconds();
    const { place, first } = await stopped(nowMicroseconds(), ["/a"]);
    await first.close();
    const second = new TestJournal(place);
    const { since } = (await second.follow(alone, true))!;
    expect(since).toBeGreaterThan(before);
    expect(since).toBeLessThan(nowMicroseconds());
  });

  test("to when the rule was new, if nothing more is known", async () => {
    const before = nowMicroseconds();
    const { place, first } = await stopped(null, ["/a"]);
    await first.close();
    const second = new TestJournal(place);
    const wish = await second.follow(alone, true);
    expect(wish).toEqual({ since: expect.any(Number), rules: [0] });
    expect(wish!.since).toBeGreaterThan(before);
  });

  test("not at the first start, and not for rules that had not asked for it", async () => {
    const place = testPlace();
    const first = new TestJournal(place);
    expect(await first.follow(alone)).toBeNull();
    first.journal.allIsReadUntil(nowMicroseconds());
    await first.close();
    const second = new TestJournal(place);
    expect(await second.follow(alone, true)).toBeNull();
  });

  test("and passes over what is found of what waits, or was started after it changed", async () => {
    using dir = tempDir();
    const [waits, done, changed, unknown] = ["waits", "done", "changed", "unknown"].map((name) =>
      dir.write(name),
    ) as [string, string, string, string];
    const { place, first } = await stopped(nowMicroseconds(), [waits, done, changed]);
    await Bun.sleep(20); // longer than a tick of the files' clock
    first.journal.started([2, 3]);
    first.journal.succeeded([2, 3]);
    await first.close();
    await Bun.sleep(20);
    writeFileSync(changed, "again");
    const second = new TestJournal(place);
    await second.follow(alone, true);
    const found = [waits, done, changed, unknown];
    second.journal.add(alone, bufferOf(found, { synthetic: "restart", events: 8 }));
    second.journal.add(alone, bufferOf([waits], { synthetic: "restart", events: both }));
    await second.waitForCame(4);
    const added = second.came.filter(({ isFromBefore }) => !isFromBefore);
    expect(added.map(({ path }) => path)).toEqual([changed, unknown, waits]); // only its close was known
    expect(second.skipped).toBe(2);
  });

  test("no longer, once all of it has been read", async () => {
    using dir = tempDir();
    const path = dir.write("waits");
    const { place, first } = await stopped(nowMicroseconds(), [path]);
    await first.close();
    const second = new TestJournal(place);
    await second.follow(alone, true);
    const now = nowMicroseconds();
    second.journal.allIsReadUntil(now);
    const sinceThen = `SELECT * FROM about WHERE name = 'read_until' AND value = ${now}`;
    await waitFor(() => rowsOf(place, sinceThen).length === 1, { what: "the moment in the file" });
    second.journal.add(alone, bufferOf([path], { synthetic: "restart" }));
    expect(await second.waitForCame(2)).toHaveLength(2);
  });
});

test("a journal is waited for while a command that was being started still has its lock", async () => {
  const place = testPlace();
  mkdirSync(place.directory, { mode: 0o700 });
  // What fork(2) leaves in a child until its execve(2).
  const holds = `${place.directory}/holds`;
  startProcess(["flock", place.lock, "sh", "-c", `touch ${holds}; sleep 0.3; rm ${holds}`]);
  await waitFor(() => existsSync(holds), { what: "the lock" });
  await opened(place);
  expect(existsSync(holds)).toBe(false);
});

describe("a journal that cannot be used says why:", () => {
  async function refusal(place: ReturnType<typeof testPlace>): Promise<string> {
    const one = new TestJournal(place);
    return one.journal.opened.then(
      () => "it was opened",
      (error: Error) =>
        error.message.replaceAll(place.file, "FILE").replaceAll(place.directory, "DIR"),
    );
  }

  test("another facron has it", async () => {
    const place = testPlace();
    await opened(place);
    expect(await refusal(place)).toBe(
      `Cannot open the journal "FILE": another facron runs "/etc/facron.toml" (pid ${process.pid}); end that one, or set another state_dir`,
    );
    await opened(placeOf(place.directory, ["/etc/other.toml"])); // which is nobody's
  });

  test("others can write to its directory", async () => {
    const place = testPlace();
    mkdirSync(place.directory);
    chmodSync(place.directory, 0o777);
    expect(await refusal(place)).toBe(
      'Cannot use the state directory "DIR": others can write to it; chmod 700 DIR',
    );
    chmodSync(place.directory, 0o700);
    chownSync(place.directory, 12345, 0);
    expect(await refusal(place)).toBe(
      'Cannot use the state directory "DIR": it belongs to another user (uid 12345); chown 0 DIR && chmod 700 DIR',
    );
  });

  test("its directory is a file, or below one", async () => {
    const place = testPlace();
    writeFileSync(place.directory, "");
    expect(await refusal(place)).toBe(
      'Cannot use the state directory "DIR": it is a file; set another state_dir',
    );
    expect(await refusal(placeOf(`${place.directory}/x`, place.configuration))).toMatch(
      /^Cannot use the state directory ".*": what stands before its name is no directory; set/,
    );
  });

  test("it is damaged", async () => {
    const place = testPlace();
    await (await opened(place)).close();
    writeFileSync(place.file, "no database".repeat(1000));
    expect(await refusal(place)).toBe(
      'Cannot open the journal "FILE": it is damaged; move it away to begin a new one (mv FILE FILE.damaged), and "sqlite3 FILE.damaged .recover" shows what can still be read of it',
    );
  });

  test("it is damaged behind its first page", async () => {
    const place = testPlace();
    await (await opened(place)).close();
    const damaged = readFileSync(place.file).fill(0xa5, 4096);
    writeFileSync(place.file, damaged);
    expect(await refusal(place)).toContain(
      'Cannot open the journal "FILE": it is damaged; move it',
    );
  });

  test("it is a newer one", async () => {
    const place = testPlace();
    await (await opened(place)).close();
    rowsOf(place, "PRAGMA user_version = 99");
    expect(await refusal(place)).toContain(
      "it was written by another version of facron (format 99",
    );
  });

  test("nothing can be made there", async () => {
    const place = placeOf("/proc/facron", ["/etc/facron.toml"]);
    expect(await refusal(place)).toBe(
      'Cannot open the journal "FILE": ENOENT, set another state_dir',
    );
  });
});

describe("a journal on a full disk", () => {
  test("has triggers run without a ticket, says so, and writes again when there is room", async () => {
    using dir = tempDir();
    const disk = dir.mkdir("disk");
    using _ = mountTmpfs(disk, "size=1m");
    const place = placeOf(`${disk}/state`, ["/etc/facron.toml"]);
    const one = await opened(place);
    one.journal.add(names, bufferOf(["/before"]));
    await one.waitForCame(1);
    writeFileSync(`${disk}/filler`, new Uint8Array(4 << 20).subarray(0, 600_000));
    const many = Array.from(
      { length: 10_000 },
      (_, index) => `/srv/in/a-rather-long-name-${index}`,
    );
    one.journal.add(names, bufferOf(many));
    one.journal.succeeded([1]);
    await one.waitForCame(10_001);
    expect(one.tickets.slice(1).every((ticket) => ticket === 0)).toBe(true);
    expect(one.log.lines.join("\n")).toContain(
      `error: Cannot write the journal "${place.file}": its disk is full; make room; commands are run all the same`,
    );
    truncateSync(`${disk}/filler`);
    one.journal.add(names, bufferOf(["/after"]));
    const came = await one.waitForCame(10_002);
    expect(came.at(-1)).toEqual({ rule: "import", path: "/after", ticket: 2, isFromBefore: false });
    expect(one.log.lines.at(-1)).toBe(`info: The journal "${place.file}" is written again`);
    expect(rowsOf(place, "SELECT id FROM entry")).toEqual([{ id: 2 }]); // the end of the first too
  });
});
