/** What a command reads: bytes that wait for it in memory, and for nobody if it does not read them. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { as, run, sh, startTest } from "./support.ts";

const alice = addAccount();
const tenMebibytes = new Uint8Array(10 * 2 ** 20).fill(0x61);

/** Files in memory that this process has open; those of Bun have other names. */
function memoryFiles(): string[] {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("/memfd:facron ");
    } catch {
      return false; // the descriptor that was reading the directory
    }
  });
}

describe("a command with something on its stdin", () => {
  test("reads it byte for byte, and then its end", async () => {
    const stdin = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const { output } = await run(["/bin/cat"], { stdin });
    expect(fromLatin1(output)).toEqual(stdin);
  });

  test("may be given nothing, which is not what /dev/null is", async () => {
    const script = "readlink /proc/self/fd/0; wc -c";
    expect((await sh(script, { stdin: new Uint8Array(0) })).output).toContain("memfd:facron");
    expect((await sh(script)).output).toBe("/dev/null\n0\n");
  });

  test("holds nobody up if it never reads 10 MiB", async () => {
    const { started, ending } = startTest(["/bin/sleep", "1000"], { stdin: tenMebibytes });
    expect(memoryFiles()).toEqual([]); // nothing is left that facron has to feed
    started.signal(15);
    expect(await ending).toEqual({ kind: "killed", signal: "SIGTERM" });
  });

  test("reads 10 MiB", async () => {
    expect((await sh("wc -c", { stdin: tenMebibytes })).output).toBe("10485760\n");
  });

  test("can't change it", async () => {
    const script = "(printf XX >&0) 2>/dev/null; (: >/proc/self/fd/0) 2>/dev/null; cat";
    expect((await sh(script, { stdin: utf8("as it was") })).output).toBe("as it was");
  });

  needsAccounts("reads it as another user too, also by way of /dev/stdin", async () => {
    const more = { stdin: utf8("hello\n"), runAs: as(alice.name) };
    expect((await sh("cat", more)).output).toBe("hello\n");
    expect((await sh("cat </dev/stdin", more)).output).toBe("hello\n");
  });

  test("leaves no file behind if it can't be started", async () => {
    expect((await run(["/no/such"], { stdin: tenMebibytes })).error).toContain("no such file");
    expect(memoryFiles()).toEqual([]);
  });
});
