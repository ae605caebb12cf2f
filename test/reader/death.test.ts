/** A reader that dies ends the program: nothing is worse than a daemon that watches nothing. */
import { describe, expect } from "bun:test";
import { requires } from "../helpers/requires.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const straceTest = requires({ root: "uses fanotify", tools: ["strace"] });

/** strace makes one system call of the reader's thread fail. Nothing else in facron uses these so. */
const faults = {
  // The first poll hears of the plan, the second of the event.
  "poll(2) fails": ["-e", "trace=poll,ppoll", "-e", "inject=poll,ppoll:error=EBADF:when=3"],
  "reading fanotify fails": injectRead("fanotify", "anon_inode:[fanotify]"),
  "reading inotify fails": injectRead("inotify", "anon_inode:inotify"),
};

function injectRead(_backend: string, descriptor: string): string[] {
  return ["-P", descriptor, "-e", "trace=read", "-e", "inject=read:error=EIO:when=2"];
}

describe.each(Object.entries(faults))("%s", (what, fault) => {
  const backend = what.includes("inotify") ? "inotify" : "fanotify";

  straceTest(
    "ends facron with exit 1 and a line in the log, after the lines so far",
    async () => {
      const dir = tempDir();
      const watched = dir.mkdir("D");
      const command = ["strace", "-f", "-qq", "-o", dir.join("strace"), ...fault, binaryPath];
      const args = ["watch", "-b", backend, "-e", "create", watched];
      const facron = runBinary(args, { command });
      await facron.ready(30_000);
      dir.write("D/first");
      await facron.waitForLines(1);
      dir.write("D/second");
      expect(await facron.exit()).toEqual({ code: 1, signal: null });
      expect(facron.log).toMatch(
        /^facron: error: The reader thread died, nothing is watched any more: SyscallError: (poll|read): /m,
      );
      expect(facron.events[0]).toMatchObject({ seq: 1, path: dir.join("D/first") });
      expect(facron.cutLine).toBe("");
    },
    60_000,
  );
});
