/** A small facron on a system with other mounts: says whether it can make cgroups, or kills what is in one. */
import { readFileSync } from "node:fs";
import { Cgroup, cgroupTrouble } from "../../src/action/cgroup.ts";
import { processesIn } from "../../src/action/cgroup-files.ts";
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

const command = process.argv[2];
if (command === "kill") console.log(await killAll());
else console.log(cgroupTrouble(command === "limits" ? { memoryMax: 2 ** 30 } : {}));
process.exit(0);
