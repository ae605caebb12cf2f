/** The keys of a `[[rule]]` or of `[facron]` about how runs relate to events, to each other and to failure. */
import { parseDuration } from "../rule/duration.ts";
import type { Batch, Policy, Retry } from "../rule/policy.ts";
import type { Command } from "../rule/template.ts";
import { parseSignal } from "./signal-name.ts";
import type { ActionKeys } from "./toml-action-schema.ts";
import { wordsOf } from "./toml-command.ts";
import type { TomlTable } from "./toml-table.ts";

const batchDefaults: Batch = { max: 1_000, waitMs: 1_000 };
const retryDefaults = { backoffMs: 1_000, maxBackoffMs: 5 * 60_000 };

/** What the table says, and no more. */
export function policyOf(given: ActionKeys, table: TomlTable): Partial<Policy> {
  return present<Policy>({
    maxRunning: given.max_running,
    order: given.order,
    maxQueued: given.max_queued,
    whenFull: given.when_full,
    whenBusy: given.when_busy,
    busySignal: signal("busy_signal", given, table),
    settleMs: duration(["settle"], given.settle, table),
    settleMaxMs: duration(["settle_max"], given.settle_max, table),
    batch: given.batch && batchOf(given.batch, table),
    throttleMs: duration(["throttle"], given.throttle, table),
    stdin: given.stdin,
    timeoutMs: duration(["timeout"], given.timeout, table),
    stopSignal: signal("stop_signal", given, table),
    killAfterMs: duration(["kill_after"], given.kill_after, table),
    retry: given.retry && retryOf(given.retry, table),
    onFailure: given.on_failure && onFailureOf(given.on_failure, table),
    loop: given.loop,
    durable: given.durable,
  });
}

/** Without what is undefined: that is for a default to say. */
export function present<Of extends object>(entries: {
  readonly [Key in keyof Of]?: Of[Key] | undefined;
}): Partial<Of> {
  const given: Partial<Of> = {};
  for (const key in entries) if (entries[key] !== undefined) given[key] = entries[key];
  return given;
}

/** @returns whole milliseconds: what is more than none is at least one */
export function duration(
  keys: readonly string[],
  text: string | undefined,
  table: TomlTable,
): number | undefined {
  if (text === undefined) return undefined;
  const parsed = parseDuration(text);
  if (typeof parsed === "number") return parsed === 0 ? 0 : Math.max(1, Math.round(parsed));
  table.refuse(keys, text, parsed);
  return undefined;
}

function signal(
  key: "busy_signal" | "stop_signal",
  given: ActionKeys,
  table: TomlTable,
): number | undefined {
  const text = given[key];
  if (text === undefined) return undefined;
  const parsed = parseSignal(text);
  if (typeof parsed === "number") return parsed;
  table.refuse([key], text, parsed);
  return undefined;
}

function batchOf({ max, wait }: NonNullable<ActionKeys["batch"]>, table: TomlTable): Batch {
  const waitMs = duration(["batch", "wait"], wait, table);
  return { ...batchDefaults, ...present<Batch>({ max, waitMs }) };
}

function retryOf(given: NonNullable<ActionKeys["retry"]>, table: TomlTable): Retry | null {
  const { times, backoff, max_backoff, on } = given;
  const backoffMs = duration(["retry", "backoff"], backoff, table) ?? retryDefaults.backoffMs;
  const usual = Math.max(backoffMs, retryDefaults.maxBackoffMs);
  const maxBackoffMs = duration(["retry", "max_backoff"], max_backoff, table) ?? usual;
  if (maxBackoffMs < backoffMs)
    table.error(
      ["retry", "max_backoff"],
      "Cannot use max_backoff below backoff: the time between two runs only grows; exchange them",
    );
  if (times === 0) return null;
  return { times, backoffMs, maxBackoffMs, ...(on === undefined ? {} : { on: [on].flat() }) };
}

function onFailureOf(words: readonly string[], table: TomlTable): Command | null {
  return words.length === 0 ? null : wordsOf("on_failure", words, table);
}
