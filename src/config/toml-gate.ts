/** One `[[gate]]` becomes a gate. */
import { isFilter, type WrittenActorWish } from "../rule/actor.ts";
import {
  type Ask,
  type Decision,
  defaultAsk,
  denyErrnos,
  type Gate,
  gateBits,
} from "../rule/gate.ts";
import { rangeValues } from "../rule/template.ts";
import { type GateMask, gateMaskOf, whyNoDirectories } from "./gate-mask.ts";
import type { PlacedGate } from "./source.ts";
import { actionsAround, over, ruleActions } from "./toml-actions.ts";
import { actorOf } from "./toml-actor.ts";
import { valuesIn, wordsOf } from "./toml-command.ts";
import { filterOf } from "./toml-filter.ts";
import type { TomlGate } from "./toml-gate-schema.ts";
import type { GivenActions } from "./toml-given.ts";
import { duration, present } from "./toml-policy.ts";
import { type TomlContext, TomlTable } from "./toml-table.ts";
import { eventsIn, textsOf, watchPathOf, wholeMask } from "./toml-watch.ts";

export interface GateContext extends TomlContext {
  /** What `[facron]` says. */
  readonly defaults: GivenActions;
  /** The keys that are nothing without `ask`. */
  readonly askKeyNames: readonly (keyof TomlGate)[];
}

/** What the gate itself says of them. */
type Times = Partial<Pick<Ask, "timeoutMs" | "cacheMs">>;

/** @param index of the gate in the file; `name` is what it is called if it says nothing else */
export function gateOf(
  given: TomlGate,
  { index, name }: { readonly index: number; readonly name: string },
  context: GateContext,
): PlacedGate | null {
  const table = new TomlTable(context, ["gate", index]);
  return new GateReader(given, table, context).read(name);
}

class GateReader {
  readonly #given: TomlGate;
  readonly #table: TomlTable;
  readonly #context: GateContext;

  constructor(given: TomlGate, table: TomlTable, context: GateContext) {
    this.#given = given;
    this.#table = table;
    this.#context = context;
  }

  read(derivedName: string): PlacedGate | null {
    const { name, scope = "tree", audit } = this.#given;
    const table = this.#table;
    const { findings } = this.#context;
    const before = findings.errorCount;
    const watch = textsOf("watch", this.#given.watch, table);
    const paths = watch.map((one) => watchPathOf(one, this.#given, table));
    const on = textsOf("on", this.#given.on, table);
    const alternatives = eventsIn(on, table, "open_perm");
    const mask = alternatives && gateMaskOf(wholeMask(on), alternatives, findings);
    const counted = mask && this.#withDirectories(mask);
    if (scope !== "tree" && this.#given.recursive !== true)
      table.needs("scope", "recursive = true");
    const filter = filterOf(this.#given, {
      ...this.#context,
      watch: paths,
      spanOf: (...keys) => table.span(...keys) ?? table.head,
    });
    const actor = this.#actor();
    const decision = this.#decision(mask);
    const errno = this.#errno();
    if (name?.includes("\0") === true) table.error(["name"], "Unexpected NUL in a name: remove it");
    if (counted === null || decision === null || findings.errorCount > before) return null;
    const gate: Gate = {
      name: name ?? derivedName,
      watch: paths,
      ...(scope === "tree" ? {} : { scope }),
      ...counted,
      ...filter,
      ...(actor === null ? {} : { actor }),
      decision,
      ...(audit === true ? { audit } : {}),
      ...(errno === null ? {} : { errno }),
    };
    const places = {
      head: table.head,
      name: table.span("name"),
      watch,
      on: on[0]!,
      program: table.span("ask", 0),
      user: table.span("user"),
      cwd: table.span("cwd"),
      actor: table.span("actor"),
      scope: table.span("scope"),
    };
    return { gate, places, isNamed: name !== undefined };
  }

  /** They are held only if they are asked for: each look into a directory opens it. */
  #withDirectories(mask: GateMask): GateMask {
    const { type = [] } = this.#given;
    const directories = mask.directories || [type].flat().includes("dir");
    const never = directories ? whyNoDirectories(mask.events) : null;
    if (never !== null)
      this.#table.error(
        [type.includes("dir") ? "type" : "on"],
        `Cannot use directories here: ${never}; leave them out, or write two gates`,
      );
    return { ...mask, directories };
  }

  #actor(): WrittenActorWish | null {
    const wish = actorOf(this.#given.actor, (keys, message) =>
      this.#table.error(["actor", ...keys], message),
    );
    return wish !== null && isFilter(wish) ? wish : null;
  }

  /** Null if there is something wrong with it. */
  #decision(mask: GateMask | null): Decision | null {
    const { verdict, ask } = this.#given;
    const table = this.#table;
    const times = this.#times();
    if (verdict !== undefined && ask !== undefined) {
      table.error(["verdict"], "Cannot use both verdict and ask: keep one of them");
      return null;
    }
    if (ask === undefined)
      for (const key of this.#context.askKeyNames)
        if (this.#given[key] !== undefined && this.#given[key] !== false) table.needs(key, "ask");
    if (verdict !== undefined) return { kind: verdict };
    if (ask !== undefined) return this.#ask(ask, mask, times);
    table.lacks([], 'Missing key verdict or ask in this gate: add one, e.g. verdict = "deny"');
    return null;
  }

  #times(): Times {
    const { timeout, cache } = this.#given;
    const timeoutMs = duration(["timeout"], timeout, this.#table);
    if (timeoutMs === 0)
      this.#table.refuse(
        ["timeout"],
        timeout!,
        'nothing can be asked in no time; write one like "2s"',
      );
    return present({ timeoutMs, cacheMs: duration(["cache"], cache, this.#table) });
  }

  #ask(words: readonly string[], mask: GateMask | null, times: Times): Decision {
    const table = this.#table;
    const { on_timeout, on_error, max_running } = this.#given;
    const command = wordsOf("ask", words, table);
    const range = valuesIn(command).find((value) => rangeValues.includes(value));
    if (range !== undefined && mask !== null && mask.events !== gateBits.pre_access)
      table.error(
        ["ask"],
        `Cannot use {${range}} here: only pre_access is about a part of a file; make that a gate of its own`,
      );
    const own = actionsAround(this.#given, table);
    // Of [facron], what a command gets from the kernel, and not how runs relate to each other.
    const { require_access: _, ...identity } = this.#context.defaults.identity;
    const all = over({ ...this.#context.defaults, policy: {}, identity }, { policy: {}, ...own });
    return {
      kind: "ask",
      command,
      ...defaultAsk,
      ...times,
      ...present({ onTimeout: on_timeout, onError: on_error, maxRunning: max_running }),
      ...ruleActions(all),
    };
  }

  #errno(): number | null {
    const { errno, verdict } = this.#given;
    if (errno === undefined) return null;
    if (verdict === "allow")
      this.#table.error(
        ["errno"],
        'Cannot use errno with verdict = "allow": it is what a process gets that is denied; remove it',
      );
    return errno === "EPERM" ? null : denyErrnos[errno];
  }
}
