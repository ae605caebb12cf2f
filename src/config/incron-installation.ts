/** A whole installation of incron's: the tables of the system and of its users, as incrond finds them. */
import { accessSync, readdirSync } from "node:fs";
import { ConfigError, type ConfigProblem } from "../errors.ts";
import { quoted } from "../log.ts";
import type { RunAs } from "../rule/rule.ts";
import { didYouMean } from "./did-you-mean.ts";
import { defaultConf, type IncronConf, readIncronConf } from "./incron-conf.ts";
import { distrustedCommands } from "./distrusted-commands.ts";
import { parseIncronTable } from "./incron-table.ts";
import { distrustOfTable, permissionBy } from "./incron-users.ts";
import type { Configuration } from "./load.ts";
import { uniquelyNamed } from "./names.ts";
import { readConfiguration } from "./read.ts";
import type { LoadedFile } from "./source.ts";
import { problemOfFile } from "./span.ts";
import { distrustOf } from "./trust.ts";

export interface IncronOptions {
  readonly cwd: string;
  /** Null: /etc/incron.conf, if there is one. */
  readonly incronConf?: string | null;
  /** What was loaded the last time: a table that has got errors since stays as it was. */
  readonly before?: Configuration | null;
  /** By name, or by a uid in decimal. */
  readonly findAccount: (nameOrUid: string) => Account | null;
  readonly accountNames: () => readonly string[];
  /** Whom facron runs as. Default: this process. */
  readonly uid?: number;
}

interface Account {
  readonly name: string;
  readonly uid: number;
}

/**
 * The rules in incron's tables: as root those of the system and of all users who may have one, else
 * one's own.
 *
 * A table that cannot be used is in `leftOut`, and the others work.
 *
 * @throws {ConfigError} only about incron.conf: without it nobody knows where the tables are
 */
export function loadIncron(options: IncronOptions): Configuration {
  const warnings: ConfigProblem[] = [];
  const warn = (warning: ConfigProblem) => void warnings.push(warning);
  const conf = readIncronConf(options.incronConf ?? null, { cwd: options.cwd, warn });
  const installation = new Installation(options, { conf, warnings });
  installation.loadSystemTables();
  installation.loadUserTables();
  return installation.end();
}

class Installation {
  readonly #options: IncronOptions;
  readonly #conf: IncronConf;
  readonly #uid: number;
  readonly #files: LoadedFile[] = [];
  readonly #warnings: ConfigProblem[];
  readonly #leftOut: ConfigProblem[] = [];

  constructor(
    options: IncronOptions,
    { conf, warnings }: { readonly conf: IncronConf; readonly warnings: ConfigProblem[] },
  ) {
    this.#options = options;
    this.#conf = conf;
    this.#uid = options.uid ?? process.geteuid!();
    this.#warnings = warnings;
  }

  loadSystemTables(): void {
    const directory = this.#conf.system_table_dir;
    const names = this.#namesIn(directory);
    if (this.#uid !== 0 && names.length > 0) {
      return this.#warn(
        directory,
        `Tables in ${quoted(directory)} are left out: their commands run as root; run facron as root`,
      );
    }
    for (const name of names) {
      const path = `${directory}/${name}`;
      const why = distrustOf(path);
      if (why === null) this.#load(path, null);
      else this.#leaveOut(path, `Cannot trust ${quoted(path)}: ${why}`);
    }
  }

  loadUserTables(): void {
    const directory = this.#conf.user_table_dir;
    const permission = permissionBy(this.#conf);
    const names = this.#uid === 0 ? this.#namesIn(directory) : this.#ownNameIn(directory);
    const { emptyAllowFile } = permission;
    if (names.length > 0 && emptyAllowFile !== null) {
      return this.#warn(
        emptyAllowFile,
        `Tables of users are left out: ${quoted(emptyAllowFile)} is empty, which lets nobody have one; write names into it, one in a line, or remove it`,
      );
    }
    for (const name of names) {
      const path = `${directory}/${name}`;
      const account = this.#options.findAccount(name);
      if (account === null || account.name !== name) {
        this.#leaveOut(path, `Cannot use ${quoted(path)}: ${this.#noSuchUser(name)}`);
        continue;
      }
      const against = permission.reasonAgainst(name);
      const why = against === null ? distrustOfTable(path, account.uid) : null;
      if (against !== null) this.#warn(path, `Table ${quoted(path)} is left out: ${against}`);
      else if (why !== null) this.#leaveOut(path, `Cannot trust ${quoted(path)}: ${why}`);
      else this.#load(path, this.#runAs(account));
    }
  }

  end(): Configuration {
    const { system_table_dir, user_table_dir, allowed_users, denied_users } = this.#conf;
    if (this.#files.length === 0) {
      const message = `No tables of incron's: nothing is watched; put one into ${quoted(system_table_dir)}, or run incrontab -e`;
      this.#warn(system_table_dir, message);
    }
    return {
      rules: uniquelyNamed(this.#files),
      files: this.#files,
      gates: [],
      settings: {},
      warnings: this.#warnings,
      leftOut: this.#leftOut,
      dependsOn: [
        this.#options.incronConf ?? defaultConf,
        ...[`${system_table_dir}/*`, `${user_table_dir}/*`, allowed_users, denied_users],
      ],
    };
  }

  /** As incrond takes them: everything but what starts with a dot, and what editors leave behind. */
  #namesIn(directory: string): string[] {
    try {
      const entries = readdirSync(directory, { withFileTypes: true });
      const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
      return names.filter((name) => !/^\.|~$/.test(name)).sort();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      const isExpected = code === "ENOENT" || this.#uid !== 0;
      if (!isExpected)
        this.#leaveOut(
          directory,
          `Cannot read ${quoted(directory)}: ${code}; correct the path in incron.conf`,
        );
      return [];
    }
  }

  /** The directory is one that only root can list. */
  #ownNameIn(directory: string): string[] {
    const own = this.#options.findAccount(String(this.#uid));
    if (own === null) return [];
    try {
      accessSync(`${directory}/${own.name}`);
      return [own.name];
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code === "EACCES")
        this.#warn(
          directory,
          `Tables in ${quoted(directory)} cannot be read: permission denied; run facron as root, or give it what incrontab -l prints as a file`,
        );
      return [];
    }
  }

  #noSuchUser(name: string): string {
    const meant = didYouMean(name, this.#options.accountNames());
    const cure = meant === null ? "remove it" : `did you mean ${quoted(meant)}?`;
    return `there is no user ${quoted(name)}; ${cure}`;
  }

  /** Root's table is like the system's: incrond keeps its environment. One's own needs no change at all. */
  #runAs({ name, uid }: Account): RunAs | null {
    if (uid === 0) return null;
    return { user: name, clearsEnvironment: true, needsAccess: true };
  }

  /** A table with errors stays as it was before, if it was there: whoever edits it has time to correct it. */
  #load(file: string, runAs: RunAs | null): void {
    const { cwd, before } = this.#options;
    try {
      const bytes = readConfiguration(file, cwd);
      const warn = (warning: ConfigProblem) => void this.#warnings.push(warning);
      const { rules } = parseIncronTable({ file, bytes, cwd, warn });
      const placed = rules.map(({ rule, ...rest }) => ({
        rule: runAs === null ? rule : { ...rule, runAs },
        ...rest,
      }));
      const loaded: LoadedFile = { file, bytes, format: "incron", rules: placed, gates: [] };
      const uidOf = (user: string) => this.#options.findAccount(user)?.uid ?? null;
      const distrusted = distrustedCommands([loaded], uidOf);
      if (distrusted.length > 0) throw new ConfigError(distrusted);
      this.#files.push(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const old = before?.files.find((one) => one.file === file);
      if (old !== undefined) this.#files.push(old);
      const outcome = old === undefined ? "is left out" : "stays as it was before";
      this.#leftOut.push(...error.problems);
      this.#leaveOut(
        file,
        `Table ${quoted(file)} ${outcome}: it has errors; correct them, and it is read again`,
      );
    }
  }

  #warn(file: string, message: string): void {
    this.#warnings.push(problemOfFile(file, message));
  }

  #leaveOut(file: string, message: string): void {
    this.#leftOut.push(problemOfFile(file, message));
  }
}
