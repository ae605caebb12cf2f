/** Who a process is, of real processes. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { latin1 } from "../../ffi/bytes.ts";
import { Errno } from "../../ffi/errno.ts";
import { pidfdHoldsNumber } from "../../ffi/pidfd.ts";
import { readProcess } from "../../ffi/proc.ts";
import { openPidfd, startProcess, startWithPid } from "../helpers/processes.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** What is known of it now, one char for one byte. */
function processOf(pid: number) {
  const { comm, commLength, exe, exeLength, uid } = readProcess(pid);
  return {
    comm: latin1(comm.subarray(0, commLength)),
    exe: latin1(exe.subarray(0, exeLength)),
    uid,
  };
}

/** A copy of sleep at `path`, and it runs. */
async function sleeping(path: string) {
  copyFileSync(Bun.which("sleep")!, path);
  const started = startProcess([path, "1000"]);
  const bytes = Buffer.from(path).toString("latin1");
  await waitFor(() => processOf(started.pid).exe === bytes, { what: `${path} to run` });
  return started;
}

describe("readProcess", () => {
  test("gives the name, the program and the effective user", () => {
    const { exe, uid } = processOf(process.pid);
    expect({ exe, uid }).toEqual({ exe: process.execPath, uid: process.geteuid!() });
  });

  test("gives a name with any bytes in it, cut where the kernel cuts it", async () => {
    using dir = tempDir();
    const name = 'a \n\u00e4)"b\\c d e f g'; // 15 bytes end in front of " g"
    const { pid } = await sleeping(dir.join(name));
    expect(processOf(pid).comm).toBe(Buffer.from(name).toString("latin1").slice(0, 15));
  });

  test("gives the path of a program that is deleted or replaced meanwhile", async () => {
    using dir = tempDir();
    const path = dir.join("program");
    const { pid } = await sleeping(path);
    rmSync(path);
    expect(processOf(pid).exe).toBe(path);
    writeFileSync(path, "the next version");
    expect(processOf(pid).exe).toBe(path);
  });

  test("gives it also if the program has another name by now", async () => {
    using dir = tempDir();
    const path = dir.join("program");
    const { pid } = await sleeping(path);
    linkSync(path, dir.join("other"));
    rmSync(path);
    expect(processOf(pid).exe).toBe(path);
  });

  test("leaves a name that really ends with (deleted) as it is", async () => {
    using dir = tempDir();
    const path = dir.join("program (deleted)");
    const { pid } = await sleeping(path);
    expect(processOf(pid).exe).toBe(path);
    renameSync(path, dir.join("moved"));
    expect(processOf(pid).exe).toBe(dir.join("moved"));
  });

  test("without looking it up: one that is deleted, one that is really called so, and one of two names", async () => {
    using dir = tempDir();
    const exeOf = (pid: number) => {
      const { exe, exeLength } = readProcess(pid, false);
      return latin1(exe.subarray(0, exeLength));
    };
    const [gone, named] = [dir.join("gone"), dir.join("named (deleted)")];
    const [first, second] = [await sleeping(gone), await sleeping(named)];
    linkSync(gone, dir.join("other"));
    rmSync(gone);
    expect(exeOf(first.pid)).toBe(`${gone} (deleted)`); // as the kernel has it: it still has a name
    rmSync(dir.join("other"));
    expect(exeOf(first.pid)).toBe(gone);
    expect(exeOf(second.pid)).toBe(named);
  });

  test("knows nothing of a process that is gone", async () => {
    const { pid, end } = startProcess(["sleep", "1000"]);
    await end();
    expect(processOf(pid)).toEqual({ comm: "", exe: "", uid: -1 });
    expect(readProcess(pid).exeErrno).toBe(Errno.ENOENT);
  });

  test("gives name and user of one that has ended and is not waited for, and no program", async () => {
    const { pid: parent } = startProcess(["sh", "-c", "true & exec sleep 1000"]);
    const children = () => readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
    const child = () => Number(children());
    await waitFor(() => child() > 0 && processOf(child()).exe === "", { what: "its end" });
    await waitFor(() => processOf(parent).comm === "sleep", { what: "nobody to wait for it" });
    expect(processOf(child())).toEqual({ comm: "sh", exe: "", uid: process.geteuid!() });
    expect(readProcess(child()).exeErrno).toBe(Errno.ENOENT);
  });

  needsRoot("kernel threads are root's")("gives a kernel thread's name, and no program", () => {
    expect(processOf(2)).toEqual({ comm: "kthreadd", exe: "", uid: 0 });
    expect(readProcess(2).exeErrno).toBe(0); // it has none, which is all that there is to know
  });

  needsRoot("becomes another user")("gives the effective user, not the real one", async () => {
    const words = ["setpriv", "--euid", "1234", "sleep", "1000"];
    const { pid } = startProcess(words);
    await waitFor(() => processOf(pid).comm === "sleep", { what: "sleep to run" });
    expect(processOf(pid).uid).toBe(1234);
  });
});

describe("procHasOurNumbers", () => {
  const proc = JSON.stringify(`${import.meta.dir}/../../ffi/proc.ts`);
  const script = `import { procHasOurNumbers } from ${proc}; console.log(procHasOurNumbers());`;
  const answerIn = (...before: string[]) =>
    Bun.spawnSync([...before, process.execPath, "-e", script], { stderr: "inherit" })
      .stdout.toString()
      .trim();

  test("is true where facron runs among others", () => {
    expect(answerIn()).toBe("true");
  });

  needsRoot("makes a pid namespace")("is false with the /proc of another pid namespace", () => {
    expect(answerIn("unshare", "--pid", "--fork")).toBe("false");
    expect(answerIn("unshare", "--pid", "--fork", "--mount-proc")).toBe("true");
  });
});

describe("pidfdHoldsNumber", () => {
  test("is true while the process runs", () => {
    using pidfd = openPidfd(process.pid);
    expect(pidfdHoldsNumber(pidfd.number)).toBe(true);
  });

  test("is false once it has ended and was waited for", async () => {
    const { pid, end } = startProcess(["sleep", "1000"]);
    using pidfd = openPidfd(pid);
    await end();
    expect(pidfdHoldsNumber(pidfd.number)).toBe(false);
  });

  needsRoot("sets the next pid")("is false though another process has its number", async () => {
    const { pid, end } = startProcess(["sleep", "1000"]);
    using pidfd = openPidfd(pid);
    await end();
    await startWithPid(pid, ["sleep", "1000"]);
    expect(processOf(pid).uid).toBe(0);
    expect(pidfdHoldsNumber(pidfd.number)).toBe(false);
  });
});
