/** How commands run, in plain words. */
import { quoted } from "../log.ts";
import { durationText } from "../rule/duration.ts";
import {
  type CgroupLimits,
  defaultPolicy,
  type Output,
  type Policy,
  type Retry,
  type Surroundings,
} from "../rule/policy.ts";
import { sizeText } from "../rule/size.ts";
import { signalName } from "./signal-name.ts";
import { umaskText } from "./toml-write.ts";

/** Clauses about what differs from the defaults, but for `onFailure`. */
export function describePolicy(policy: Policy): string[] {
  const { maxRunning, throttleMs, batch, stdin, loop, durable } = policy;
  return [
    ...(maxRunning === null ? [] : [`at most ${maxRunning} at once`]),
    ...describeOrder(policy),
    ...describeQueue(policy),
    ...describeSettle(policy),
    ...(throttleMs > 0
      ? [`one start for ${subjectOf(policy)} in ${durationText(throttleMs)}`]
      : []),
    ...(batch === null
      ? []
      : [`up to ${batch.max} events of ${durationText(batch.waitMs)} in one run`]),
    ...(stdin === "json" ? ["the events as JSON on stdin"] : []),
    ...(stdin === "paths0" ? ["the paths on stdin, a NUL behind each"] : []),
    ...describeEnd(policy),
    ...(policy.retry === null ? [] : [describeRetry(policy.retry)]),
    ...(loop === "allow" ? ["also for what it does itself"] : []),
    ...(durable ? ["each event is kept on disk until its run succeeded"] : []),
  ];
}

function describeSettle({ settleMs, settleMaxMs }: Policy): string[] {
  if (settleMs === 0) return [];
  const latest = settleMaxMs === 0 ? "" : `, or ${durationText(settleMaxMs)} after the first`;
  return [`after ${durationText(settleMs)} without another event of the path${latest}`];
}

function subjectOf({ order }: Policy): string {
  return order === "path" ? "a path" : "the rule";
}

function describeOrder({ order }: Policy): string[] {
  if (order === "path") return [];
  return [order === "rule" ? "one after the other" : "in no order"];
}

function describeQueue(policy: Policy): string[] {
  const { maxQueued, whenFull, whenBusy, busySignal } = policy;
  const full = {
    block: "then nothing more is read",
    drop_oldest: "then the oldest is dropped",
    drop_new: "then new ones are dropped",
  } as const;
  const isPlain = maxQueued === defaultPolicy.maxQueued && whenFull === "block";
  const path = policy.order === "path" ? " for that path" : "";
  const busy = {
    queue: [],
    merge: [`what comes while its command runs${path} is one more run`],
    skip: [`not while its command runs${path}`],
    restart: [`a command that runs${path} is stopped and started anew`],
    signal: [`a command that runs${path} gets ${signalName(busySignal)} instead`],
  } as const;
  return [...busy[whenBusy], ...(isPlain ? [] : [`${maxQueued} may wait, ${full[whenFull]}`])];
}

function describeEnd({ timeoutMs, stopSignal, killAfterMs }: Policy): string[] {
  const isUsual =
    stopSignal === defaultPolicy.stopSignal && killAfterMs === defaultPolicy.killAfterMs;
  const how = `${signalName(stopSignal)}, and SIGKILL ${durationText(killAfterMs)} later`;
  if (timeoutMs > 0) return [`after ${durationText(timeoutMs)} it gets ${how}`];
  return isUsual ? [] : [`stopped by ${how}`];
}

function describeRetry({ times, backoffMs, maxBackoffMs, on }: Retry): string {
  const why = {
    signal: "is ended by a signal",
    timeout: "takes too long",
    "not-started": "cannot be started",
  } as const;
  const causes = on?.map((one) => (typeof one === "number" ? `exits ${one}` : why[one]));
  const when = causes === undefined ? "fails" : causes.join(" or ");
  const count = times === 1 ? "once more" : `${times} more times`;
  return `${count} if it ${when}, after ${durationText(backoffMs)} and up to ${durationText(maxBackoffMs)}`;
}

/** Clauses about what a command gets from the kernel. */
export function describeSurroundings(surroundings: Surroundings): string[] {
  const { cwd, environment = {}, clearsEnvironment, group, umask, nice, session } = surroundings;
  const { cgroup, output } = surroundings;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  return [
    ...(group === undefined ? [] : [`group ${group}`]),
    ...(cwd === undefined ? [] : [`in ${quoted(cwd)}`]),
    ...(clearsEnvironment === true ? ["nothing of facron's environment"] : []),
    ...(variables.length === 0 ? [] : [`with ${variables.join(" ")}`]),
    ...(umask === undefined ? [] : [`umask ${umaskText(umask)}`]),
    ...(nice === undefined ? [] : [`nice ${nice}`]),
    ...(session === true ? ["a session of its own"] : []),
    ...(cgroup === undefined ? [] : [describeCgroup(cgroup)]),
    ...(output === undefined ? [] : [describeOutput(output)]),
  ];
}

function describeCgroup({ memoryMax, pidsMax }: CgroupLimits): string {
  const limits = [
    ...(memoryMax === undefined ? [] : [`at most ${sizeText(memoryMax)} of memory`]),
    ...(pidsMax === undefined ? [] : [`at most ${pidsMax} processes`]),
  ];
  return `a cgroup of its own${limits.length === 0 ? "" : ` with ${limits.join(" and ")}`}`;
}

function describeOutput(output: Output): string {
  if (output.kind === "file") return `its output is appended to ${quoted(output.path)}`;
  const places = { log: "goes into the log", inherit: "goes to stderr", null: "is dropped" };
  return `its output ${places[output.kind]}`;
}
