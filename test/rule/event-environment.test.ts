import { describe, expect, test } from "bun:test";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { eventEnvironment, withoutEventVariables } from "../../src/rule/event-environment.ts";
import { Counters, type Filling } from "../../src/rule/template.ts";

const closed: Filling = {
  path: utf8("/srv/in/a b.csv"),
  from: new Uint8Array(0),
  events: eventBits.create | eventBits.close_write,
  pid: 0,
  seq: 7,
  isSelf: false,
  isDirectory: false,
};

/** One char for one byte. */
function variablesOf(filling: Partial<Filling>): string[] {
  const source = { rule: "import", counters: new Counters() };
  return eventEnvironment({ ...closed, ...filling }, source).map(latin1);
}

describe("eventEnvironment", () => {
  test("tells where, what, which rule and which line", () => {
    expect(variablesOf({})).toEqual([
      "FACRON_PATH=/srv/in/a b.csv",
      "FACRON_NAME=a b.csv",
      "FACRON_DIR=/srv/in",
      "FACRON_EVENTS=create,close_write",
      "FACRON_RULE=import",
      "FACRON_SEQ=7",
    ]);
  });

  test("tells the old path of a rename and a pid only if they are known", () => {
    const variables = variablesOf({ from: utf8("/srv/old"), pid: 4234 });
    expect(variables).toContain("FACRON_FROM=/srv/old");
    expect(variables).toContain("FACRON_PID=4234");
    expect(variables).toHaveLength(8);
  });

  test("tells of who did it what is known", () => {
    const all = variablesOf({ actor: { comm: utf8("a b"), exe: fromLatin1("/\xff"), uid: 0 } });
    expect(all.slice(4, -2)).toEqual(["FACRON_COMM=a b", "FACRON_EXE=/\xff", "FACRON_UID=0"]);
    const worker = variablesOf({ actor: { comm: utf8("nfsd"), exe: null, uid: null } });
    expect(worker.slice(4, -2)).toEqual(["FACRON_COMM=nfsd"]);
    expect(variablesOf({ actor: null })).toHaveLength(6);
  });

  test("tells of how many events it is, if there are more than one", () => {
    expect(variablesOf({ count: 3 })).toContain("FACRON_COUNT=3");
    expect(variablesOf({ count: 1 })).toHaveLength(6);
  });

  test("tells what went wrong, and how often it was tried", () => {
    const variables = variablesOf({ failure: { error: "exited 1", attempts: 4 } });
    expect(variables.slice(6)).toEqual(["FACRON_ERROR=exited 1", "FACRON_ATTEMPTS=4"]);
  });

  test("keeps names that are not UTF-8, byte for byte", () => {
    const variables = variablesOf({ path: fromLatin1("/in/\xff=\n"), from: fromLatin1("/\xfe") });
    expect(variables).toContain("FACRON_PATH=/in/\xff=\n");
    expect(variables).toContain("FACRON_NAME=\xff=\n");
    expect(variables).toContain("FACRON_FROM=/\xfe");
  });
});

test("withoutEventVariables drops those names and no other", () => {
  const kept = ["PATH=/bin", "FACRON_PATHS=a", "XFACRON_PATH=b", "FACRON_TEST=c", "odd", "=x"];
  const dropped = ["FACRON_PATH=a", "FACRON_FROM=", "FACRON_PID=1=2", "FACRON_SEQ=\xff"];
  dropped.push("FACRON_ERROR=x", "FACRON_ATTEMPTS=1", "FACRON_COUNT=2");
  dropped.push("FACRON_GATE=g", "FACRON_OFFSET=0");
  const left = withoutEventVariables([...kept, ...dropped].map(fromLatin1));
  expect(left.map(latin1)).toEqual(kept);
});
