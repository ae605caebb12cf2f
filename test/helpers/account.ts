/** Users and groups of the system for a file of tests. Needs root and useradd (`needsAccounts`). */
import { afterAll } from "bun:test";
import { findTool, isRoot, requires } from "./requires.ts";

export interface TestAccount {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /** Its supplementary groups, without its own. */
  readonly groups: readonly string[];
  /** `id ARG... NAME` */
  readonly id: (...args: string[]) => string;
}

/** For tests that use one. */
export const needsAccounts = requires({ root: "adds users", tools: ["useradd", "groupadd", "id"] });

let made = 0;

/**
 * To be called at the top of a file: the user goes away after its last test.
 *
 * @param groups how many supplementary groups it is in
 * @returns an account that does not exist where the tests are skipped
 */
export function addAccount({ groups: count = 2 } = {}): TestAccount {
  const name = `facron${process.pid}-${made++}`;
  const groups = Array.from({ length: count }, (_, index) => `${name}g${index}`);
  const home = "/var/empty/facron";
  const shell = "/bin/bash";
  const account = {
    name,
    home,
    shell,
    groups,
    id: (...args: string[]) => run("id", ...args, name),
  };
  if (!isRoot() || findTool("useradd") === null) return account;
  for (const group of groups) run("groupadd", group);
  const options = ["--no-create-home", "--home-dir", home, "--shell", shell, "--user-group"];
  run("useradd", ...options, "--groups", groups.join(","), name);
  afterAll(() => {
    run("userdel", "--force", name);
    for (const group of groups) run("groupdel", group);
  });
  return account;
}

/** Take a user out of a group again. */
export function leaveGroup({ name }: TestAccount, group: string): void {
  run("gpasswd", "--delete", name, group);
}

function run(tool: string, ...args: string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync([findTool(tool) ?? tool, ...args]);
  if (!success) throw new Error(`${tool} ${args.join(" ")}: ${stderr.toString().trim()}`);
  return stdout.toString().trimEnd();
}
