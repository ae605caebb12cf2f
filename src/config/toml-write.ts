/** How commands run, back as the lines of a `[[rule]]` that say it. */
import { durationText } from "../rule/duration.ts";
import {
  type Batch,
  type CgroupLimits,
  defaultPolicy,
  type Output,
  type Policy,
  type Retry,
  type Surroundings,
} from "../rule/policy.ts";
import { sizeText } from "../rule/size.ts";
import type { Command } from "../rule/template.ts";
import { signalName } from "./signal-name.ts";

type Value = string | null;

/** What differs from the defaults. @param words a command as a list of TOML */
export function policyLines(policy: Policy, words: (command: Command) => string): string[] {
  const time = (milliseconds: number): string => text(durationText(milliseconds));
  const signal = (number: number): string => text(signalName(number));
  const writers: {
    readonly [Key in keyof Policy]: readonly [string, (value: Policy[Key]) => Value];
  } = {
    maxRunning: ["max_running", (count) => (count === null ? null : String(count))],
    order: ["order", text],
    maxQueued: ["max_queued", String],
    whenFull: ["when_full", text],
    whenBusy: ["when_busy", text],
    busySignal: ["busy_signal", signal],
    settleMs: ["settle", time],
    settleMaxMs: ["settle_max", time],
    batch: ["batch", (batch) => batch && batchText(batch)],
    throttleMs: ["throttle", time],
    stdin: ["stdin", text],
    timeoutMs: ["timeout", time],
    stopSignal: ["stop_signal", signal],
    killAfterMs: ["kill_after", time],
    retry: ["retry", (retry) => retry && retryText(retry)],
    onFailure: ["on_failure", (command) => command && words(command)],
    loop: ["loop", text],
    durable: ["durable", String],
  };
  const line = <Key extends keyof Policy>(key: Key): string[] => {
    if (policy[key] === defaultPolicy[key]) return [];
    const [name, write] = writers[key];
    return lines(name, write(policy[key]));
  };
  return (Object.keys(writers) as (keyof Policy)[]).flatMap(line);
}

export function surroundingsLines(surroundings: Surroundings): string[] {
  const { cwd, environment, clearsEnvironment, group, umask, nice, session, cgroup, output } =
    surroundings;
  return [
    ...lines("group", group === undefined ? null : text(group)),
    ...lines("cwd", cwd === undefined ? null : text(cwd)),
    ...lines("env", environment === undefined ? null : environmentText(environment)),
    ...lines("clear_env", clearsEnvironment === true ? "true" : null),
    ...lines("umask", umask === undefined ? null : text(umaskText(umask))),
    ...lines("nice", nice === undefined ? null : String(nice)),
    ...lines("session", session === true ? "true" : null),
    ...(cgroup === undefined ? [] : cgroupLines(cgroup)),
    ...lines("output", output === undefined ? null : text(outputText(output))),
  ];
}

function lines(key: string, value: Value): string[] {
  return value === null ? [] : [`${key} = ${value}`];
}

function cgroupLines({ memoryMax, pidsMax }: CgroupLimits): string[] {
  if (memoryMax === undefined && pidsMax === undefined) return ["cgroup = true"];
  return [
    ...lines("memory_max", memoryMax === undefined ? null : text(sizeText(memoryMax))),
    ...lines("pids_max", pidsMax === undefined ? null : String(pidsMax)),
  ];
}

function batchText({ max, waitMs }: Batch): string {
  return `{ max = ${max}, wait = ${text(durationText(waitMs))} }`;
}

function retryText({ times, backoffMs, maxBackoffMs, on }: Retry): string {
  const pairs = [
    `times = ${times}`,
    `backoff = ${text(durationText(backoffMs))}`,
    `max_backoff = ${text(durationText(maxBackoffMs))}`,
    ...(on === undefined ? [] : [`on = ${JSON.stringify(on)}`]),
  ];
  return `{ ${pairs.join(", ")} }`;
}

function environmentText(environment: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(environment).map(
    ([name, value]) => `${text(name)} = ${text(value)}`,
  );
  return `{ ${pairs.join(", ")} }`;
}

/** `027` for 0o27. */
export function umaskText(umask: number): string {
  return umask.toString(8).padStart(3, "0");
}

function outputText(output: Output): string {
  return output.kind === "file" ? output.path : output.kind;
}

/** A literal string where a backslash would have to be doubled, else a basic one. */
export function text(value: string): string {
  if (value.includes("\\") && !/['\x00-\x1f\x7f]/.test(value)) return `'${value}'`;
  return JSON.stringify(value).replaceAll("\x7f", "\\u007F");
}
