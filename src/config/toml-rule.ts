/** One `[[rule]]` becomes a rule. */
import { latin1, pathBytes, utf8 } from "../../ffi/bytes.ts";
import { missedByPolling, parsePollInterval } from "../rule/poll-limits.ts";
import type { WrittenActorWish } from "../rule/actor.ts";
import type { BackendChoice, Rule, RunAs, WatchPath } from "../rule/rule.ts";
import { actorValues, type Command, type Part, type ValueName } from "../rule/template.ts";
import { conditionOf, type Mask, type NamedEvent } from "./facron-condition.ts";
import { alternativesIn } from "./facron-mask.ts";
import { quotedWord, type Findings } from "./findings.ts";
import { escapedPath, isPattern, patternMistake, withoutEscapes } from "./glob-path.ts";
import type { Programs } from "./programs.ts";
import type { PlacedRule } from "./source.ts";
import type { Span } from "./span.ts";
import type { TomlPath, TomlPlaces } from "./toml-places.ts";
import { actorOf } from "./toml-actor.ts";
import type { TomlRule } from "./toml-schema.ts";
import { filterOf } from "./toml-filter.ts";
import { templateOf } from "./toml-template.ts";
import { absolutePath } from "./watch-path.ts";

export interface RuleContext {
  readonly places: TomlPlaces;
  readonly findings: Findings;
  readonly programs: Programs;
  readonly cwd: string;
}

/** A text of the rule and where it stands, its quotes included. */
interface Text extends Span {
  readonly text: string;
}

/** @param index of the rule in the file; `name` is what it is called if it says nothing else */
export function ruleOf(
  given: TomlRule,
  { index, name }: { readonly index: number; readonly name: string },
  context: RuleContext,
): PlacedRule | null {
  return new RuleReader(given, ["rule", index], context).read(name);
}

class RuleReader {
  readonly #given: TomlRule;
  readonly #at: TomlPath;
  readonly #context: RuleContext;
  readonly #findings: Findings;

  constructor(given: TomlRule, at: TomlPath, context: RuleContext) {
    this.#given = given;
    this.#at = at;
    this.#context = context;
    this.#findings = context.findings;
  }

  read(derivedName: string): PlacedRule | null {
    const { name, when_busy, once, scope } = this.#given;
    const before = this.#findings.errorCount;
    const watch = this.#texts("watch");
    const paths = watch.map((one) => this.#watchPath(one));
    const on = this.#texts("on");
    const mask = this.#mask(on);
    const pollIntervalMs = this.#pollInterval();
    if (mask?.backend === "poll") this.#checkPolled(mask, on[0]!);
    this.#checkScope(mask);
    const filter = filterOf(this.#given, {
      ...this.#context,
      watch: paths,
      spanOf: (...keys) => this.#span(...keys) ?? this.#head,
    });
    const command = this.#command();
    const runAs = this.#runAs(command);
    const actor = this.#actor(command);
    if (when_busy === "skip" && command === null) this.#needs("when_busy", "run or shell");
    for (const text of [name, ...(typeof this.#given.user === "string" ? [this.#given.user] : [])])
      if (text?.includes("\0"))
        this.#findings.error(this.#head, "Unexpected NUL in a name: remove it");
    if (mask === null || this.#findings.errorCount > before) return null;
    const rule: Rule = {
      name: name ?? derivedName,
      watch: paths,
      ...mask,
      ...(pollIntervalMs === null ? {} : { pollIntervalMs }),
      ...(scope === "filesystem" ? { scope } : {}),
      command,
      ...(runAs === null ? {} : { runAs }),
      ...(when_busy === "skip" ? { whenBusy: when_busy } : {}),
      ...(once === true ? { once } : {}),
      ...filter,
      ...(actor === null ? {} : { actor }),
    };
    const places = {
      head: this.#head,
      name: this.#span("name"),
      watch,
      on: on[0]!,
      program: this.#span("run", 0) ?? this.#span("shell"),
      user: this.#span("user"),
      actor: this.#span("actor"),
    };
    return { rule, places, isNamed: name !== undefined };
  }

  get #head(): Span {
    return this.#span() ?? { from: 0, length: 1 };
  }

  #span(...keys: TomlPath): Span | null {
    return this.#context.places.value([...this.#at, ...keys]);
  }

  #texts(key: "watch" | "on"): Text[] {
    const value = this.#given[key];
    if (typeof value === "string") return [{ text: value, ...(this.#span(key) ?? this.#head) }];
    return value.map((text, at) => ({ text, ...(this.#span(key, at) ?? this.#head) }));
  }

  #needs(key: string, other: string): void {
    const span = this.#span(key) ?? this.#span("run") ?? this.#head;
    this.#findings.error(span, `Cannot use ${key} without ${other}: add that, or remove ${key}`);
  }

  #watchPath(one: Text): WatchPath {
    const { recursive = false, dot_directories, follow_symlink, only_directory } = this.#given;
    this.#refuseNul(one);
    const mistake = patternMistake(one.text);
    if (mistake !== null && isPattern(one.text)) {
      const { at, length, message } = mistake;
      this.#findings.error(inside(one, at, length), message);
    }
    return {
      ...this.#pathOf(one.text),
      recursive,
      ...(dot_directories === false ? { skipsDotDirectories: true } : {}),
      ...(follow_symlink === false ? { refusesSymlink: true } : {}),
      ...(only_directory === true ? { refusesFile: true } : {}),
    };
  }

  #pathOf(text: string): Pick<WatchPath, "path" | "isGlob"> {
    const cwd = latin1(pathBytes(this.#context.cwd));
    if (!isPattern(text)) return { path: absolutePath(latin1(utf8(withoutEscapes(text))), cwd) };
    return { path: absolutePath(latin1(utf8(text)), escapedPath(cwd)), isGlob: true };
  }

  #mask(on: readonly Text[]): Mask | null {
    const before = this.#findings.errorCount;
    const alternatives: NamedEvent[][] = [];
    for (const one of on) {
      // The names stand behind the quote.
      const names = alternativesIn({ ...one, from: one.from + 1 }, this.#findings, {
        sparesLast: false,
      });
      if (names.length === 0 && this.#findings.errorCount === before)
        this.#findings.error(one, "Missing event: name one, e.g. close_write");
      alternatives.push(...names);
    }
    if (this.#findings.errorCount > before) return null;
    const whole = { ...on[0]!, text: on.map(({ text }) => text).join(",") };
    const mask = conditionOf(whole, alternatives, this.#findings);
    return mask === null ? null : this.#onBackend(mask, on[0]!);
  }

  #onBackend(mask: Mask, on: Text): Mask | null {
    const { backend } = this.#given;
    if (backend === undefined || backend === mask.backend) return mask;
    if (mask.backend === "auto") return { ...mask, backend: backend satisfies BackendChoice };
    const span = this.#span("backend") ?? on;
    const cure = "remove this key, or write the events without FAN_ and IN_";
    this.#findings.error(
      span,
      `Cannot use backend "${backend}": the events of the rule pick ${mask.backend}; ${cure}`,
    );
    return null;
  }

  #checkPolled({ condition }: Mask, on: Text): void {
    const missed = missedByPolling(condition);
    if (missed === null) return;
    if (missed.isNever) this.#findings.error(on, missed.message);
    else this.#findings.warning(on, missed.message);
  }

  #checkScope(mask: Mask | null): void {
    const { scope, recursive } = this.#given;
    if (scope !== "filesystem") return;
    if (recursive !== true) this.#needs("scope", "recursive = true");
    const backend = mask?.backend ?? "auto";
    if (backend !== "inotify" && backend !== "poll") return;
    const cure = "remove this key, or use fanotify";
    this.#findings.error(
      this.#span("scope") ?? this.#head,
      `Cannot use scope "filesystem" with backend "${backend}": only fanotify reports a whole filesystem; ${cure}`,
    );
  }

  #pollInterval(): number | null {
    const { poll_interval, backend } = this.#given;
    if (poll_interval === undefined) return null;
    const span = this.#span("poll_interval") ?? this.#head;
    if (backend !== "poll") this.#needs("poll_interval", 'backend = "poll"');
    const parsed = parsePollInterval(poll_interval);
    if (typeof parsed === "number") return parsed;
    const shown = quotedWord(latin1(utf8(poll_interval)));
    this.#findings.error(span, `Cannot use ${shown} as poll_interval: ${parsed}`);
    return null;
  }

  #command(): Command | null {
    const { run, shell } = this.#given;
    if (run !== undefined && shell !== undefined) {
      const span = this.#span("shell") ?? this.#head;
      this.#findings.error(span, "Cannot use both run and shell: keep one of them");
    }
    if (shell !== undefined) return this.#shell(shell);
    return run === undefined ? null : this.#run(run);
  }

  #run(run: readonly string[]): Command {
    const words = run.map((text, at) => {
      const one = { text, ...(this.#span("run", at) ?? this.#head) };
      this.#refuseNul(one);
      return templateOf(text, (from, length, message) =>
        this.#findings.error(inside(one, from, length), message),
      );
    });
    const program = { text: run[0]!, ...(this.#span("run", 0) ?? this.#head) };
    if (program.text === "")
      this.#findings.error(program, 'Cannot run "": the program is empty; write its absolute path');
    else if (words[0]!.every((part) => "literal" in part)) this.#doubt(program);
    return { words };
  }

  #doubt(program: Text): void {
    const doubt = this.#context.programs.doubtAbout(latin1(utf8(program.text)));
    if (doubt === null) return;
    this.#findings.warning(
      program,
      `Cannot run ${quotedWord(latin1(utf8(program.text)))}: ${doubt}`,
    );
  }

  #shell(shell: string): Command {
    const one = { text: shell, ...(this.#span("shell") ?? this.#head) };
    this.#refuseNul(one);
    const token = /\{(path|name|dir|stem|ext|from|events|pid|comm|exe|uid|rule|seq)\}/.exec(shell);
    if (token !== null && shell[token.index - 1] !== "$") {
      const variable = ["stem", "ext"].includes(token[1]!)
        ? "FACRON_NAME"
        : `FACRON_${token[1]!.toUpperCase()}`;
      const message = `Cannot use ${token[0]} in shell: a file name would be read as shell; write "$${variable}"`;
      this.#findings.error(inside(one, token.index, token[0].length), message);
    }
    const words = ["/bin/sh", "-c", shell].map((text) => [{ literal: utf8(text) }]);
    return { words };
  }

  #runAs(command: Command | null): RunAs | null {
    const { user, clear_env = false, require_access = false } = this.#given;
    if (user === undefined) {
      for (const key of ["clear_env", "require_access"] as const)
        if (this.#given[key] === true) this.#needs(key, "user");
      return null;
    }
    if (command === null) this.#needs("user", "run or shell");
    return { user: String(user), clearsEnvironment: clear_env, needsAccess: require_access };
  }

  #actor(command: Command | null): WrittenActorWish | null {
    const wish = actorOf(this.#given.actor, (keys, message) =>
      this.#findings.error(this.#span("actor", ...keys) ?? this.#head, message),
    );
    const asked = command?.words.flat().find(isActorValue);
    if (wish === null && asked !== undefined) this.#needs(`{${asked.value}}`, "actor = true");
    return wish;
  }

  #refuseNul(one: Text): void {
    if (one.text.includes("\0"))
      this.#findings.error(
        one,
        "Unexpected NUL character: no path or argument can hold one; remove it",
      );
  }
}

function isActorValue(part: Part): part is { readonly value: ValueName } {
  return "value" in part && actorValues.includes(part.value);
}

/** A stretch of a text behind its opening quote; with escapes in it the place is only near. */
function inside(text: Text, at: number, length: number): Span {
  const bytes = utf8(text.text.slice(0, at)).length;
  return { from: text.from + 1 + bytes, length };
}
