/** `--incron`: all tables of an incron installation, each as the user that it belongs to. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import { didYouMean } from "./did-you-mean.ts";
import { distrustedCommands } from "./distrusted-commands.ts";
import { parseTableOf } from "./incron-table.ts";
import { type Configuration, filesIn } from "./load.ts";
import { readConfiguration } from "./read.ts";
import type { LoadedFile } from "./source.ts";
import { Places, problemOfFile } from "./span.ts";
import { distrustOf } from "./trust.ts";

interface Account {
  readonly name: string;
  readonly uid: number;
}

export interface IncronOptions {
  readonly cwd: string;
  /** Another incron.conf; null: the usual one, which need not be there. */
  readonly incronConf: string | null;
  /** What was loaded before: a table with errors keeps the rules that it had. */
  readonly before: Configuration | null;
  readonly findAccount: (name: string) => Account | null;
  readonly accountNames: () => string[];
}

const usualConf = "/etc/incron.conf";

/** incron.conf(5). What is about its lock file and its editor is none of our business. */
const defaults = {
  system_table_dir: "/etc/incron.d",
  user_table_dir: "/var/spool/incron",
  allowed_users: "/etc/incron.allow",
  denied_users: "/etc/incron.deny",
};
const unusedKeys = ["lockfile_dir", "lockfile_name", "editor"];

type TablePlaces = typeof defaults;

/**
 * The tables that incrond would follow. One that can't be read or has errors never stops the others:
 * its errors are among the warnings, and the rules that it had before stay.
 *
 * @throws {ConfigError} about incron.conf itself
 */
export function loadIncron(options: IncronOptions): Configuration {
  return new Installation(options).load();
}

class Installation {
  readonly #options: IncronOptions;
  readonly #files: LoadedFile[] = [];
  readonly #warnings: ConfigProblem[] = [];
  readonly #isRoot = process.geteuid!() === 0;

  constructor(options: IncronOptions) {
    this.#options = options;
  }

  load(): Configuration {
    const { incronConf } = this.#options;
    const conf = incronConf ?? usualConf;
    const places = this.#readConf(conf, incronConf !== null);
    this.#loadSystemTables(places.system_table_dir);
    this.#loadUserTables(places);
    const { system_table_dir, user_table_dir, allowed_users, denied_users } = places;
    return {
      rules: this.#files.flatMap(({ rules }) => rules.map(({ rule }) => rule)),
      files: this.#files,
      settings: {},
      warnings: this.#warnings,
      dependsOn: [
        conf,
        allowed_users,
        denied_users,
        `${system_table_dir}/*`,
        `${user_table_dir}/*`,
      ],
    };
  }

  #warn(file: string, message: string): void {
    this.#warnings.push(problemOfFile(file, message));
  }

  #readConf(file: string, mustBeThere: boolean): TablePlaces {
    if (!mustBeThere && !statSync(file, { throwIfNoEntry: false })) return defaults;
    const bytes = readConfiguration(file, this.#options.cwd);
    const places = new Places({ file, bytes });
    const found: Record<string, string> = {};
    let from = 0;
    for (const line of Buffer.from(bytes).toString("latin1").split("\n")) {
      const [, key, value] = /^\s*([^\s#=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined && value !== "") {
        const span = { from: from + line.indexOf(key), length: key.length };
        if (key in defaults) found[key] = value;
        else if (!unusedKeys.includes(key))
          this.#warnings.push(places.problem(span, unknownKey(key)));
      }
      from += line.length + 1;
    }
    return { ...defaults, ...found };
  }

  #loadSystemTables(directory: string): void {
    const names = filesIn(directory) ?? [];
    if (this.#isRoot) for (const name of names) this.#loadTable(join(directory, name), null);
    else if (names.length > 0)
      this.#warn(
        directory,
        `Tables in ${quoted(directory)} are left out: they run as root; start facron as root to follow them`,
      );
  }

  #loadUserTables({ user_table_dir, allowed_users, denied_users }: TablePlaces): void {
    const directory = user_table_dir;
    const allowed = namesIn(allowed_users);
    const denied = namesIn(denied_users);
    for (const name of filesIn(directory) ?? []) {
      const file = join(directory, name);
      const account = this.#options.findAccount(name);
      if (account === null || account.name !== name) this.#sayUnknownUser(file, name);
      else if (!this.#isRoot && account.uid !== process.geteuid!())
        continue; // not ours to run
      else if (allowed !== null && !allowed.includes(name))
        this.#sayNotAllowed(file, name, allowed_users, allowed);
      else if (allowed === null && denied?.includes(name))
        this.#warn(
          file,
          `Table ${quoted(file)} is left out: ${quoted(name)} is in ${denied_users}; remove it there to allow it`,
        );
      else this.#loadTable(file, account);
    }
  }

  #sayUnknownUser(file: string, name: string): void {
    const meant = didYouMean(name, this.#options.accountNames());
    const cure =
      meant === null ? "name the table after its user" : `did you mean ${quoted(meant)}?`;
    this.#warn(
      file,
      `Table ${quoted(file)} is left out: there is no user ${quoted(name)}: ${cure}`,
    );
  }

  #sayNotAllowed(file: string, name: string, list: string, allowed: readonly string[]): void {
    const state =
      allowed.length === 0
        ? `${list} is empty, which allows nobody`
        : `${quoted(name)} is not in ${list}`;
    this.#warn(file, `Table ${quoted(file)} is left out: ${state}; add the name to allow it`);
  }

  /** @param owner whom the commands run as; null for a system table */
  #loadTable(file: string, owner: Account | null): void {
    try {
      const why = distrustOf(file, owner === null ? {} : { owner: owner.uid });
      if (why !== null)
        throw new ConfigError([problemOfFile(file, `Cannot trust ${quoted(file)}: ${why}`)]);
      const bytes = readConfiguration(file, this.#options.cwd);
      const warn = (warning: ConfigProblem): void => void this.#warnings.push(warning);
      const source = { file, bytes, cwd: "/", warn };
      const runAs =
        owner === null ? null : { user: owner.name, clearsEnvironment: true, needsAccess: true };
      const { rules } = parseTableOf(source, runAs);
      const loaded: LoadedFile = { file, bytes, format: "incron", rules };
      const distrusted = distrustedCommands([loaded], () => owner?.uid ?? null);
      if (distrusted.length > 0) throw new ConfigError(distrusted);
      this.#files.push(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#warnings.push(...error.problems);
      this.#keepOld(file);
    }
  }

  #keepOld(file: string): void {
    const old = this.#options.before?.files.find((loaded) => loaded.file === file);
    const state = old === undefined ? "it is left out" : "the rules that it had stay in force";
    if (old !== undefined) this.#files.push(old);
    this.#warn(
      file,
      `Table ${quoted(file)} has errors: ${state} until they are corrected; the other tables are followed`,
    );
  }
}

/** The users that a file lists, a line each; null if there is no such file. */
function namesIn(file: string): string[] | null {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return null;
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}

function unknownKey(key: string): string {
  const meant = didYouMean(key, [...Object.keys(defaults), ...unusedKeys]);
  const cure =
    meant === null ? `the keys are ${Object.keys(defaults).join(", ")}` : `did you mean ${meant}?`;
  return `Unknown key ${quoted(key)}: ${cure}`;
}
