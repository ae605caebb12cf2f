import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, rmSync, symlinkSync } from "node:fs";
import { loadIncron } from "../../src/config/incron-installation.ts";
import type { Configuration } from "../../src/config/load.ts";
import { ConfigError } from "../../src/errors.ts";
import { isRoot, needsRoot } from "../helpers/requires.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";

const ownUid = process.geteuid!();

/** Users as this test has them; `self` owns what the test writes. */
const accounts = [
  { name: "root", uid: 0 },
  { name: "self", uid: ownUid === 0 ? 4242 : ownUid },
  { name: "alice", uid: 1001 },
  { name: "bob", uid: 1002 },
];

const line = "/srv IN_CREATE /bin/true\n";

/** Its tables are in DIR/incron.d and DIR/spool, who may have one in DIR/allow and DIR/deny. */
function installation(dir: TempDir, conf = ""): string {
  dir.mkdir("incron.d");
  dir.mkdir("spool");
  const at = (key: string, name: string): string => `${key} = ${dir.join(name)}\n`;
  const paths = at("system_table_dir", "incron.d") + at("user_table_dir", "spool");
  const lists = at("allowed_users", "allow") + at("denied_users", "deny");
  return dir.write("incron.conf", `# test\n${paths}${lists}${conf}`);
}

interface As {
  readonly uid?: number;
  readonly before?: Configuration | null;
}

function load(conf: string, { uid = 0, before = null }: As = {}): Configuration {
  return loadIncron({
    ...{ cwd: "/", incronConf: conf, before, uid },
    findAccount: (name) =>
      accounts.find((one) => one.name === name || String(one.uid) === name) ?? null,
    accountNames: () => accounts.map(({ name }) => name),
  });
}

function namesOf({ rules }: Configuration): string[] {
  return rules.map(({ name }) => name);
}

function messagesOf(problems: Configuration["warnings"] = []): string {
  return problems.map(({ message }) => message).join("\n");
}

describe("loadIncron as root", () => {
  test("reads the system's tables, which run as root with its environment", () => {
    using dir = tempDir();
    const conf = installation(dir);
    dir.write("incron.d/web", line);
    dir.write("incron.d/.hidden", line);
    dir.write("incron.d/web~", line);
    const { rules, leftOut, warnings } = load(conf);
    expect(rules).toMatchObject([{ name: "web:1", backend: "inotify" }]);
    expect(rules[0]).not.toHaveProperty("runAs");
    expect({ leftOut, warnings: messagesOf(warnings) }).toEqual({ leftOut: [], warnings: "" });
  });

  needsRoot("gives files to users")("reads users' tables, which run as them", () => {
    using dir = tempDir();
    const conf = installation(dir);
    chownSync(dir.write("spool/alice", line, { mode: 0o600 }), 1001, 1001);
    dir.write("spool/root", line, { mode: 0o600 });
    const { rules } = load(conf);
    expect(rules.map(({ name, runAs }) => ({ name, runAs }))).toEqual([
      { name: "alice:1", runAs: { user: "alice", clearsEnvironment: true, needsAccess: true } },
      { name: "root:1" } as never,
    ]);
  });

  test("gives tables of one name the whole path into their rules' names", () => {
    if (!isRoot()) return; // a table that root does not own is not followed
    using dir = tempDir();
    const conf = installation(dir);
    dir.write("incron.d/root", line);
    dir.write("spool/root", line);
    expect(namesOf(load(conf))).toEqual([
      `${dir.join("incron.d/root")}:1`,
      `${dir.join("spool/root")}:1`,
    ]);
  });

  needsRoot("gives files to users")("refuses what somebody else could have written", () => {
    using dir = tempDir();
    const conf = installation(dir);
    chownSync(dir.write("spool/alice", line), 1002, 1002);
    chmodSync(dir.write("spool/bob", line), 0o622);
    symlinkSync(dir.write("elsewhere", line), dir.join("spool/self"));
    dir.write("spool/alcie", line);
    const configuration = load(conf);
    expect(configuration.rules).toEqual([]);
    const said = messagesOf(configuration.leftOut);
    expect(said).toContain('spool/alice": user 1002 owns it; give it to its user by chown');
    expect(said).toContain('spool/bob": others can write it; run chmod go-w on it');
    expect(said).toContain('spool/self": it is not a regular file; put one there');
    expect(said).toContain('spool/alcie": there is no user "alcie"; did you mean "alice"?');
  });

  needsRoot("owns the tables")("lets only those in that incron.allow names", () => {
    using dir = tempDir();
    const conf = installation(dir);
    for (const name of ["alice", "bob"]) dir.write(`spool/${name}`, line);
    expect(namesOf(load(conf))).toEqual(["alice:1", "bob:1"]);
    dir.write("deny", "bob\n");
    expect(namesOf(load(conf))).toEqual(["alice:1"]);
    dir.write("allow", "bob\n");
    const allowed = load(conf);
    expect(namesOf(allowed)).toEqual(["bob:1"]);
    expect(messagesOf(allowed.warnings)).toContain(
      `spool/alice" is left out: "alice" is not in "${dir.join("allow")}"; add a line with the name`,
    );
  });

  test("says that an empty incron.allow, as Debian ships it, keeps everyone out", () => {
    using dir = tempDir();
    const conf = installation(dir);
    dir.write("incron.d/web", line);
    dir.write("allow", "");
    expect(messagesOf(load(conf).warnings)).not.toContain("empty");
    dir.write("spool/alice", line);
    const { rules, warnings } = load(conf);
    expect(rules).toMatchObject([{ name: "web:1" }]);
    expect(messagesOf(warnings)).toBe(
      `Tables of users are left out: "${dir.join("allow")}" is empty, which lets nobody have one; write names into it, one in a line, or remove it`,
    );
  });

  test("leaves a table with errors out, and the others work", () => {
    using dir = tempDir();
    const conf = installation(dir);
    dir.write("incron.d/bad", "/srv IN_CREAT /bin/true\n");
    dir.write("incron.d/good", line);
    const { rules, leftOut } = load(conf);
    expect(rules).toMatchObject([{ name: "good:1" }]);
    expect(leftOut).toMatchObject([
      { file: dir.join("incron.d/bad"), line: 1, column: 6 },
      { line: 0 },
    ]);
    expect(messagesOf(leftOut)).toContain("is left out: it has errors");
  });

  test("keeps the rules of a table that has got errors, until it is correct or gone", () => {
    using dir = tempDir();
    const conf = installation(dir);
    dir.write("incron.d/web", line);
    const first = load(conf);
    dir.write("incron.d/web", "/srv IN_CREAT /bin/true\n/x IN_OPEN /bin/true\n");
    const second = load(conf, { before: first });
    expect(second.rules).toEqual(first.rules);
    expect(messagesOf(second.leftOut)).toContain("stays as it was before: it has errors");
    const third = load(conf, { before: second });
    expect(third.rules).toEqual(first.rules);
    rmSync(dir.join("incron.d/web"));
    expect(load(conf, { before: third }).rules).toEqual([]);
  });

  test("depends on every file that decides", () => {
    using dir = tempDir();
    const conf = installation(dir);
    expect(load(conf).dependsOn).toEqual([
      conf,
      ...["incron.d/*", "spool/*", "allow", "deny"].map((name) => dir.join(name)),
    ]);
  });
});

describe("loadIncron as a user", () => {
  test("reads its own table alone, and says so of the system's", () => {
    using dir = tempDir();
    const conf = installation(dir);
    const { uid } = accounts[1]!;
    dir.write("incron.d/web", line);
    dir.write("spool/alice", line);
    const own = dir.write("spool/self", line);
    if (isRoot()) chownSync(own, uid, uid);
    const { rules, warnings } = load(conf, { uid });
    expect(rules).toMatchObject([{ name: "self:1", runAs: { user: "self" } }]);
    expect(messagesOf(warnings)).toBe(
      `Tables in "${dir.join("incron.d")}" are left out: their commands run as root; run facron as root`,
    );
  });
});

describe("incron.conf", () => {
  test("may have settings for incrond alone; unknown ones are said", () => {
    using dir = tempDir();
    const more =
      "lockfile_dir = /x\n  editor=vi\nsystem_table_dri = /x\nnonsense\nallowed_users = x\n";
    const { warnings } = load(installation(dir, more));
    expect(messagesOf(warnings)).toBe(
      [
        'Unknown setting "system_table_dri": did you mean system_table_dir?',
        "Line is not read: a line is KEY = VALUE, or a comment after #",
        'Setting allowed_users is not used: "x" is no absolute path; start it with a slash',
        `No tables of incron's: nothing is watched; put one into "${dir.join("incron.d")}", or run incrontab -e`,
      ].join("\n"),
    );
    expect(warnings[0]).toMatchObject({ line: 8, column: 1, length: 16 });
  });

  test("must be there if it is named", () => {
    expect(() => load("/no/such.conf")).toThrow(ConfigError);
  });

  test("may be missing where it is usually", () => {
    if (existsSync("/etc/incron.conf")) return;
    expect(load(null as never).dependsOn).toContain("/etc/incron.d/*");
  });
});
