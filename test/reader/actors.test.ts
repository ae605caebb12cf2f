/** Who did a record, of real processes: never somebody else, and no descriptor is left open. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { lossyText } from "../../ffi/bytes.ts";
import { FAN_EPIDFD, FAN_NOPIDFD } from "../../ffi/fanotify/abi.ts";
import { Actors, noRecord } from "../../src/reader/actors.ts";
import { UnknownActors } from "../../src/reader/unknown-actors.ts";
import { openPidfd, startProcess, startWithPid } from "../helpers/processes.ts";
import { needsRoot } from "../helpers/requires.ts";
import { waitFor } from "../helpers/wait-for.ts";

function desk() {
  const said: string[] = [];
  const log = { info: () => {}, warn: (text: string) => void said.push(text), error: () => {} };
  const unknown = new UnknownActors(log);
  return { actors: new Actors(unknown), unknown, said };
}

/** One record of this process, read alone. @returns its actor, and the object that stands for it */
function record(actors: Actors, pid: number, pidfd = openPidfd(pid).number) {
  actors.beginRead();
  return sameRead(actors, pid, pidfd);
}

function sameRead(actors: Actors, pid: number, pidfd = openPidfd(pid).number) {
  actors.beginRecord(pid, pidfd);
  const { current } = actors;
  actors.endRecord();
  return current;
}

/** How many are open. */
function pidfds(): number {
  const links = readdirSync("/proc/self/fd").map((fd) => linkOf(`/proc/self/fd/${fd}`));
  return links.filter((link) => link.includes("pidfd")).length;
}

/** The directory's own descriptor is closed by then. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

const commOf = (actor: { comm: Uint8Array | null } | null) =>
  lossyText(actor?.comm ?? new Uint8Array());

describe("Actors", () => {
  test("gives one object for as long as a process is the same", () => {
    const { actors } = desk();
    const first = record(actors, process.pid)!;
    expect(first.uid).toBe(process.geteuid!());
    expect(sameRead(actors, process.pid)).toBe(first);
    expect(record(actors, process.pid)).toBe(first);
  });

  test("sees that a process has become another program", async () => {
    const { actors } = desk();
    const shell = startProcess(["sh", "-c", "read line; exec sleep 1000"]);
    await waitFor(() => commOf(record(actors, shell.pid)) === "sh", { what: "sh to run" });
    shell.line();
    await waitFor(() => commOf(record(actors, shell.pid)) === "sleep", { what: "sleep to run" });
    expect(lossyText(record(actors, shell.pid)!.exe!)).toEndWith("/sleep");
  });

  test("does not know a process that has ended, though it was known", async () => {
    const { actors } = desk();
    const { pid, end } = startProcess(["sleep", "1000"]);
    expect(record(actors, pid)).not.toBeNull();
    const pidfd = openPidfd(pid);
    await end();
    expect(record(actors, pid, pidfd.number)).toBeNull();
    expect(record(actors, pid, FAN_NOPIDFD)).toBeNull();
    expect(sameRead(actors, pid, FAN_EPIDFD)).toBeNull();
  });

  needsRoot("sets the next pid")("never takes who has a number for who had it", async () => {
    const { actors } = desk();
    const { pid, end } = startProcess(["sleep", "1000"]);
    const known = record(actors, pid);
    const [dead, deadToo] = [openPidfd(pid).number, openPidfd(pid).number];
    await end();
    const other = await startWithPid(pid, ["sh", "-c", "read line"]);
    expect(record(actors, other.pid, dead)).toBeNull(); // what the first one did
    await waitFor(() => commOf(record(actors, pid)) === "sh", { what: "sh to run" });
    expect(record(actors, pid)).not.toBe(known);
    actors.beginRead(); // both in one read, in the order in which they lived
    expect(sameRead(actors, pid, deadToo)).toBeNull();
    expect(commOf(sameRead(actors, pid))).toBe("sh");
  });

  test("asks nothing before it is asked, and closes every descriptor", () => {
    const { actors } = desk();
    const before = pidfds();
    for (let i = 0; i < 100; i++) {
      const pidfd = openPidfd(process.pid).number;
      actors.beginRead();
      actors.beginRecord(process.pid, pidfd);
      if (i % 2 === 0) void actors.current;
      actors.endRecord();
      expect(actors.current).toBeNull();
    }
    expect(pidfds()).toBe(before);
  });

  test("counts what could not be decided, of records and of nothing else", () => {
    const { actors, unknown, said } = desk();
    actors.undecided(); // inotify's, or a synthetic one
    actors.beginRead();
    for (const pid of [0, process.pid, process.pid]) {
      actors.beginRecord(pid, FAN_NOPIDFD);
      actors.undecided();
      actors.endRecord();
    }
    unknown.say();
    expect(said).toEqual([
      expect.stringContaining("2 events: the process had ended"),
      expect.stringContaining("1 event: the process is outside"),
    ]);
  });

  test("counts also what could not be decided of one that is about to go", async () => {
    const { actors, unknown, said } = desk();
    const { pid: parent } = startProcess(["sh", "-c", "true & exec sleep 1000"]);
    const child = () => Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8"));
    await waitFor(() => child() > 0 && record(actors, child())?.exe === null, { what: "its end" });
    await waitFor(() => commOf(record(actors, parent)) === "sleep", { what: "no wait for it" });
    for (const pid of [child(), process.pid]) {
      actors.beginRead();
      actors.beginRecord(pid, openPidfd(pid).number);
      void actors.current;
      actors.undecided(); // as a filter on exe would
      actors.endRecord();
    }
    unknown.say();
    expect(said).toEqual([expect.stringContaining("1 event: the process had ended")]);
  });

  test("says of a record that is told later who did that, and not the one in hand", async () => {
    const { actors } = desk();
    const other = startProcess(["sleep", "1000"]);
    await waitFor(() => commOf(record(actors, other.pid)) === "sleep", { what: "sleep to run" });
    actors.beginRead();
    actors.beginRecord(other.pid, openPidfd(other.pid).number);
    const { kept } = actors;
    actors.endRecord();
    await other.end();
    actors.beginRecord(process.pid, openPidfd(process.pid).number);
    const told: string[] = [];
    actors.during(kept, () => void told.push(commOf(actors.current)));
    actors.during(noRecord, () => void told.push(commOf(actors.current)));
    told.push(commOf(actors.current));
    actors.endRecord();
    actors.during(kept, () => void told.push(commOf(actors.current)));
    expect(told).toEqual(["sleep", "", commOf(record(actors, process.pid)), "sleep"]);
    expect(actors.current).toBeNull();
  });

  test("says once why nothing can be looked at", () => {
    const { actors, said } = desk();
    for (let i = 0; i < 3; i++) expect(record(actors, 1, FAN_EPIDFD)).toBeNull();
    expect(said).toEqual([expect.stringContaining("too many files open; raise its limit")]);
  });
});

test("UnknownActors says a number at once, then after a while, and at the end", () => {
  const { unknown, said } = desk();
  unknown.sayIfDue();
  unknown.undecided("ended");
  unknown.sayIfDue();
  unknown.undecided("ended");
  unknown.undecided("ended");
  unknown.sayIfDue();
  expect(said).toHaveLength(1);
  expect(said[0]).toStartWith("Cannot tell who did 1 event: ");
  unknown.undecided("outside");
  unknown.say();
  unknown.say();
  expect(said).toHaveLength(3);
  expect(said[2]).toStartWith("Cannot tell who did 1 event: the process is outside of facron's");
  expect(said[1]).toStartWith("Cannot tell who did 2 events: ");
});
