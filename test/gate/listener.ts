/**
 * Plays facron for guard.test.ts: a permission group on a directory, a gate thread and the guard.
 *
 *     bun listener.ts DIRECTORY [--no-guard] [--broken-guard] [--inherit]
 *
 * Says "watching" on stdout when it does. On stdin: "mark PATH", "start PROGRAM", "stop". It opens nothing
 * in the directory; gate-thread.ts says which names are denied.
 */
import { Worker } from "node:worker_threads";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { FAN_EVENT_ON_CHILD, FAN_OPEN_PERM } from "../../ffi/fanotify/abi.ts";
import { fanotifyMarkAdd } from "../../ffi/fanotify/calls.ts";
import { permissionGroup } from "../../ffi/fanotify/permission.ts";
import { closeInChildren, posixSpawn, StringVector } from "../../ffi/process.ts";
import { Guard } from "../../src/daemon/guard.ts";
import { openPulseMemory, Pulse } from "../../src/gate/pulse.ts";

const [directory, ...options] = process.argv.slice(2);
const isBroken = options.includes("--broken-guard");
const say = (text: string): void => console.error(text);

using groupFd = permissionGroup({ preContent: false, audit: false });
const group = groupFd.number;
if (!options.includes("--inherit")) closeInChildren(group);

using memory = openPulseMemory();
const guard = new Guard({
  self: [process.execPath, `${import.meta.dir}/../../${isBroken ? "none" : "src/main.ts"}`],
  groupFd: group,
  pulseFd: memory.number,
  pulse: new Pulse(memory.number),
  log: { info: say, warn: say, error: say },
});
if (!options.includes("--no-guard")) await guard.start();

const workerData = { group, memory: memory.number };
const thread = new Worker(new URL("./gate-thread.ts", import.meta.url), { workerData });
await new Promise((resolve) => thread.once("message", resolve));
mark(directory!);
console.log("watching");

for await (const line of console) {
  const [word, argument] = line.split(" ");
  if (word === "stop") break;
  if (word === "mark") mark(argument!);
  if (word === "start") start(argument!);
}
await guard.stop();
process.exit(0);

function mark(path: string): void {
  fanotifyMarkAdd(group, cString(utf8(path)), FAN_OPEN_PERM | FAN_EVENT_ON_CHILD);
  console.log(`marked ${path}`);
}

function start(path: string): void {
  const place = { stdinFd: null, outputFd: 2, cwd: null, isSession: false };
  posixSpawn(utf8(path), new StringVector().set([utf8(path)]), new StringVector().set([]), place);
}
