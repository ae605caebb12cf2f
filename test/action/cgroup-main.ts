/** A small facron on a system with other mounts: says whether it can make cgroups, or kills what is in one. */
import { readFileSync } from "node:fs";
import { Cgroup, cgroupTrouble } from "../../src/action/cgroup.ts";
import { joinCgroup, processesIn } from "../../src/action/cgroup-files.ts";
import { handDown } from "../../src/action/cgroup-place.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** Two processes in a cgroup: before, and after they were killed. */
async function killAll(): Promise<string> {
  const cgroup = new Cgroup({});
  const [directory] = cgroup.directories as [string];
  const join = `echo 0 >${directory}/cgroup.procs; setsid sleep 1000 & exec sleep 1000`;
  Bun.spawn(["sh", "-c", join]);
  const sleeps = (): number => processesIn(directory).filter((pid) => comm(pid) === "sleep").length;
  await waitFor(() => sleeps() === 2, { what: "two processes" });
  const before = sleeps();
  cgroup.signal(9, 0);
  await waitFor(() => cgroup.isEmpty(), { what: "their end" });
  const after = sleeps();
  cgroup.remove();
  return `sleeps before: ${before}, after: ${after}`;
}

function comm(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

const cgroupOf = (pid: number): string =>
  /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))![1]!;

/** In a cgroup with a process of the same program above this one, and with another below. */
function handDownFrom(home: string, controller: string): string {
  const child = Bun.spawn(["sleep", "1000"]);
  handDown(home, [controller]);
  const cgroups = [process.pid, process.ppid, child.pid].map(cgroupOf);
  child.kill("SIGKILL");
  return cgroups.join("\n");
}

function joinAndWait(home: string, controller: string): string {
  if (joinCgroup(home) !== 0) return "cannot join";
  const argv = [process.execPath, process.argv[1]!, "hand-down", home, controller];
  return Bun.spawnSync(argv, { stderr: "inherit" }).stdout.toString().trim();
}

const [command, home = "", controller = ""] = process.argv.slice(2);
if (command === "kill") console.log(await killAll());
else if (command === "join-and-wait") console.log(joinAndWait(home, controller));
else if (command === "hand-down") console.log(handDownFrom(home, controller));
else console.log(cgroupTrouble(command === "limits" ? { memoryMax: 2 ** 30 } : {}));
process.exit(0);
