/** One `[[rule]]` becomes a rule. */
import { missedByPolling, parsePollInterval } from "../rule/poll-limits.ts";
import type { WrittenActorWish } from "../rule/actor.ts";
import { defaultPolicy } from "../rule/policy.ts";
import type { BackendChoice, Rule } from "../rule/rule.ts";
import { actorValues, type Command } from "../rule/template.ts";
import { conditionOf, type Mask } from "./facron-condition.ts";
import type { Findings } from "./findings.ts";
import type { PlacedRule, RulePlaces } from "./source.ts";
import { actionsOf, over, type RuleActions, ruleActions } from "./toml-actions.ts";
import { actorOf } from "./toml-actor.ts";
import type { ActionKey } from "./toml-action-schema.ts";
import { commandOf, valuesIn } from "./toml-command.ts";
import type { GivenActions } from "./toml-given.ts";
import type { TomlRule } from "./toml-schema.ts";
import { filterOf } from "./toml-filter.ts";
import { type Text, type TomlContext, TomlTable } from "./toml-table.ts";
import { refuseTogether, refuseWithoutCommand } from "./toml-together.ts";
import { eventsIn, textsOf, watchPathOf, wholeMask } from "./toml-watch.ts";

export interface RuleContext extends TomlContext {
  /** What `[facron]` says. */
  readonly defaults: GivenActions;
  /** The keys that are nothing without a command. */
  readonly actionKeyNames: readonly ActionKey[];
}

/** @param index of the rule in the file; `name` is what it is called if it says nothing else */
export function ruleOf(
  given: TomlRule,
  { index, name }: { readonly index: number; readonly name: string },
  context: RuleContext,
): PlacedRule | null {
  const table = new TomlTable(context, ["rule", index]);
  return new RuleReader(given, table, context).read(name);
}

class RuleReader {
  readonly #given: TomlRule;
  readonly #table: TomlTable;
  readonly #context: RuleContext;
  readonly #findings: Findings;

  constructor(given: TomlRule, table: TomlTable, context: RuleContext) {
    this.#given = given;
    this.#table = table;
    this.#context = context;
    this.#findings = context.findings;
  }

  read(derivedName: string): PlacedRule | null {
    const { name, once, scope } = this.#given;
    const table = this.#table;
    const before = this.#findings.errorCount;
    const watch = textsOf("watch", this.#given.watch, table);
    const paths = watch.map((one) => watchPathOf(one, this.#given, table));
    const on = textsOf("on", this.#given.on, table);
    const mask = this.#mask(on);
    const pollIntervalMs = this.#pollInterval();
    if (mask?.backend === "poll") this.#checkPolled(mask, on[0]!);
    this.#checkScope(mask);
    const filter = filterOf(this.#given, {
      ...this.#context,
      watch: paths,
      spanOf: (...keys) => table.span(...keys) ?? table.head,
    });
    const command = commandOf(this.#given, table);
    const actions = this.#actions(command);
    const actor = this.#actor(command, actions);
    if (name?.includes("\0") === true) table.error(["name"], "Unexpected NUL in a name: remove it");
    if (mask === null || this.#findings.errorCount > before) return null;
    const rule: Rule = {
      name: name ?? derivedName,
      watch: paths,
      ...mask,
      ...(pollIntervalMs === null ? {} : { pollIntervalMs }),
      ...(scope === "filesystem" ? { scope } : {}),
      command,
      ...actions,
      ...(once === true ? { once } : {}),
      ...filter,
      ...(actor === null ? {} : { actor }),
    };
    const places: RulePlaces = {
      head: this.#table.head,
      name: this.#table.span("name"),
      watch,
      on: on[0]!,
      program: this.#table.span("run", 0) ?? this.#table.span("shell"),
      cwd: this.#table.span("cwd"),
      output: this.#table.span("output"),
      onFailure: this.#table.span("on_failure", 0),
      user: this.#table.span("user"),
      actor: this.#table.span("actor"),
    };
    return { rule, places, isNamed: name !== undefined };
  }

  #mask(on: readonly Text[]): Mask | null {
    const alternatives = eventsIn(on, this.#table, "close_write");
    if (alternatives === null) return null;
    const mask = conditionOf(wholeMask(on), alternatives, this.#findings);
    return mask === null ? null : this.#onBackend(mask, on[0]!);
  }

  #onBackend(mask: Mask, on: Text): Mask | null {
    const { backend } = this.#given;
    if (backend === undefined || backend === mask.backend) return mask;
    if (mask.backend === "auto") return { ...mask, backend: backend satisfies BackendChoice };
    const span = this.#table.span("backend") ?? on;
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
    if (recursive !== true) this.#table.needs("scope", "recursive = true");
    const backend = mask?.backend ?? "auto";
    if (backend !== "inotify" && backend !== "poll") return;
    const cure = "remove this key, or use fanotify";
    this.#findings.error(
      this.#table.span("scope") ?? this.#table.head,
      `Cannot use scope "filesystem" with backend "${backend}": only fanotify reports a whole filesystem; ${cure}`,
    );
  }

  #pollInterval(): number | null {
    const { poll_interval, backend } = this.#given;
    if (poll_interval === undefined) return null;
    if (backend !== "poll") this.#table.needs("poll_interval", 'backend = "poll"');
    const parsed = parsePollInterval(poll_interval);
    if (typeof parsed === "number") return parsed;
    this.#table.refuse(["poll_interval"], poll_interval, parsed);
    return null;
  }

  /** Nothing for a rule without a command, whatever holds for all. */
  #actions(command: Command | null): RuleActions {
    if (command === null)
      refuseWithoutCommand(this.#given, this.#context.actionKeyNames, this.#table);
    const own = actionsOf(this.#given, this.#table);
    if (command === null) return {};
    const all = over(this.#context.defaults, own);
    refuseTogether(this.#given, { ...defaultPolicy, ...all.policy }, command, this.#table);
    if (this.#given.require_access === true && all.identity.user === undefined)
      this.#table.needs("require_access", "user");
    // Else it would be FILE:LINE, and another after each line that is put above.
    if (all.policy.durable === true && this.#given.name === undefined)
      this.#table.needs("durable", "name, by which the rule finds its events again");
    return ruleActions(all);
  }

  #actor(command: Command | null, { policy }: RuleActions): WrittenActorWish | null {
    const wish = actorOf(this.#given.actor, (keys, message) =>
      this.#table.error(["actor", ...keys], message),
    );
    const ofFailure = this.#given.on_failure === undefined ? null : policy?.onFailure;
    for (const [key, one] of Object.entries({ run: command, on_failure: ofFailure })) {
      const asked = valuesIn(one ?? { words: [] }).find((value) => actorValues.includes(value));
      if (wish === null && asked !== undefined)
        this.#table.lacks(
          [key],
          `Cannot use {${asked}} without actor = true: add that, or remove {${asked}}`,
        );
    }
    return wish;
  }
}
