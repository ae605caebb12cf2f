/** What a command reads on its stdin: the events as JSON lines, or their paths. */
import { actorJson } from "../output/actor-json.ts";
import { JsonLines } from "../output/json-lines.ts";
import { pathPrefix } from "../output/json-text.ts";
import type { Job } from "./job.ts";
import { utf8 } from "../../ffi/bytes.ts";
import { namesOf } from "../event.ts";
import type { Trigger } from "../reader/trigger.ts";

/** Null: nothing. */
export function stdinOf(job: Job): Uint8Array | null {
  switch (job.policy.stdin) {
    case "none":
      return null;
    case "paths0":
      return pathsWithNul(job.paths);
    case "json":
      return jsonLinesOf(job.rule.name, job.triggers);
  }
}

function pathsWithNul(paths: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(paths.reduce((length, path) => length + path.length + 1, 0));
  let end = 0;
  for (const path of paths) {
    bytes.set(path, end);
    end += path.length + 1;
  }
  return bytes;
}

/** The lines that stdout has of these events, with this rule alone. */
function jsonLinesOf(rule: string, triggers: Iterable<Trigger>): Uint8Array {
  const lines = new JsonLines(4096);
  for (const { seq, time, events, path, from, isDirectory, pid, synthetic, actor } of triggers) {
    const rules = JSON.stringify([rule]);
    const head = utf8(`"rules":${rules},"events":${JSON.stringify(namesOf(events))},"path":"`);
    lines.continueAfter(seq - 1);
    lines.setTime(time);
    const old = from.length === 0 ? null : pathPrefix(from);
    const json = actor === null ? null : actorJson(actor);
    lines.event(head, pathPrefix(path), path, 0, 0, isDirectory, pid, old, synthetic, json);
  }
  return lines.take().slice();
}
