/** Permission groups against the real kernel: what they take, and what a process gets. */
import { describe, expect, test } from "bun:test";
import { Errno, SyscallError } from "../../../ffi/errno.ts";
import {
  FAN_ACCESS_PERM,
  FAN_EVENT_ON_CHILD,
  FAN_OPEN_PERM,
  FAN_PRE_ACCESS,
} from "../../../ffi/fanotify/abi.ts";
import {
  answerPermission,
  knowsEvents,
  permissionGroup,
  permissionMarkAdd,
  permissionMarkRemove,
  permissionMarksFlush,
  responseOf,
} from "../../../ffi/fanotify/permission.ts";
import { FanotifyReader, InfoReader, rangeOf } from "../../../ffi/fanotify/reader.ts";
import { bytesReadable, closeDescriptor, type Fd, readNow } from "../../../ffi/fd.ts";
import { whyNoGates } from "../../../src/daemon/gates.ts";
import { denyErrnos } from "../../../src/rule/gate.ts";
import { cPath } from "../../helpers/c-path.ts";
import { requires } from "../../helpers/requires.ts";
import { type TempDir, tempDir } from "../../helpers/temp-dir.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const rootTest = requires({ root: "permission events" });
const newTest = requires({ root: "permission events", kernel: "6.14" });

const plain = { preContent: false, audit: false };
const ofFile = FAN_OPEN_PERM | FAN_EVENT_ON_CHILD;

interface Answered {
  readonly events: { readonly mask: number; readonly range: ReturnType<typeof rangeOf> }[];
  readonly stderr: string;
  readonly code: number;
}

/** Let a child look at a file, and answer each of its questions so. The child alone opens it. */
async function ask(group: Fd, path: string, response: number, tool = "cat"): Promise<Answered> {
  const child = Bun.spawn([tool, path], { stdout: "ignore", stderr: "pipe" });
  const bytes = new Uint8Array(4096);
  const reader = new FanotifyReader(bytes);
  const info = new InfoReader(reader);
  const events: Answered["events"] = [];
  const ended = () => {
    reader.reset(Math.max(readNow(group.number, bytes), 0));
    while (reader.next()) {
      events.push({ mask: reader.mask, range: rangeOf(reader, info) });
      answerPermission(group.number, reader.fd, response);
      closeDescriptor(reader.fd);
    }
    return child.exitCode !== null;
  };
  await waitFor(ended, { what: "the end of the child" });
  return { events, stderr: await new Response(child.stderr).text(), code: child.exitCode! };
}

function marked(group: Fd, directory: TempDir, mask: number): string {
  const path = directory.write("file", "text\n");
  permissionMarkAdd(group.number, "inode", cPath(directory.path), mask);
  return path;
}

describe("a permission group", () => {
  rootTest("gives what it is told, and asks once per open", async () => {
    using group = permissionGroup(plain);
    const path = marked(group, tempDir(), ofFile);
    const allowed = await ask(group, path, responseOf(true));
    expect(allowed).toEqual({
      events: [{ mask: FAN_OPEN_PERM, range: null }],
      stderr: "",
      code: 0,
    });
    const denied = await ask(group, path, responseOf(false));
    expect(denied.stderr).toContain("Operation not permitted");
  });

  rootTest(
    "takes a record for the audit log with an answer, if it was opened for that",
    async () => {
      using group = permissionGroup({ preContent: false, audit: true });
      const path = marked(group, tempDir(), ofFile);
      const { code } = await ask(group, path, responseOf(true, { audit: true }));
      expect(code).toBe(0);
    },
  );

  rootTest("refuses what it was not opened for (EINVAL): the question stays", async () => {
    using group = permissionGroup(plain);
    const path = marked(group, tempDir(), ofFile);
    for (const some of [{ audit: true }, { errno: denyErrnos.EBUSY }]) {
      const child = Bun.spawn(["cat", path], { stdout: "ignore", stderr: "ignore" });
      await waitFor(() => bytesReadable(group.number) > 0, { what: "a question" });
      const bytes = new Uint8Array(4096);
      const reader = new FanotifyReader(bytes);
      reader.reset(readNow(group.number, bytes));
      reader.next();
      const answer = () => answerPermission(group.number, reader.fd, responseOf(false, some));
      expect(answer).toThrow(expect.objectContaining({ errno: Errno.EINVAL }));
      expect(answerPermission(group.number, reader.fd, responseOf(true))).toBe(true);
      expect(answerPermission(group.number, reader.fd, responseOf(true))).toBe(false);
      closeDescriptor(reader.fd);
      expect(await child.exited).toBe(0);
    }
  });

  rootTest("holds nothing any more where a mark was taken away, or all were", async () => {
    using group = permissionGroup(plain);
    const directory = tempDir();
    const path = marked(group, directory, ofFile | FAN_ACCESS_PERM);
    permissionMarkRemove(group.number, "inode", cPath(directory.path), FAN_ACCESS_PERM);
    const { events } = await ask(group, path, responseOf(true));
    expect(events.map(({ mask }) => mask)).toEqual([FAN_OPEN_PERM]);
    permissionMarksFlush(group.number, "inode");
    expect((await ask(group, path, responseOf(false))).code).toBe(0);
  });

  rootTest("tells whether a kernel knows events, without a mark", () => {
    using group = permissionGroup(plain);
    const unknown = 0x8000_0000; // no kernel has this bit
    expect(knowsEvents(group.number, FAN_OPEN_PERM)).toBe(true);
    expect(knowsEvents(group.number, unknown)).toBe(false);
    expect(knowsEvents(group.number, FAN_PRE_ACCESS)).toBe(false); // not in this class
  });
});

describe("a group that fills files (FAN_CLASS_PRE_CONTENT)", () => {
  newTest(
    "gives each errno that denyErrnos has, at open and at read, and refuses others",
    async () => {
      using group = permissionGroup({ preContent: true, audit: false });
      const path = marked(group, tempDir(), ofFile);
      for (const [name, errno] of Object.entries(denyErrnos)) {
        const { stderr } = await ask(group, path, responseOf(false, { errno }), "cat");
        expect([name, stderr.trim().replace(/.*: /, "")]).toEqual([name, texts[name]!]);
      }
      const refused = () => answerPermission(group.number, 0, responseOf(false, { errno: 13 }));
      expect(refused).toThrow(expect.objectContaining({ errno: Errno.EINVAL }));
    },
  );

  newTest("tells which part of a file is read, on a filesystem that has that", async () => {
    using group = permissionGroup({ preContent: true, audit: false });
    const path = marked(group, tempDir({ on: "disk" }), FAN_PRE_ACCESS | FAN_EVENT_ON_CHILD);
    const { events, code } = await ask(group, path, responseOf(true));
    expect(code).toBe(0);
    expect(events[0]).toEqual({ mask: FAN_PRE_ACCESS, range: { offset: 0, count: 131_072 } });
  });
});

/** strerror(3), as cat says it. */
const texts: Readonly<Record<string, string>> = {
  EPERM: "Operation not permitted",
  EIO: "Input/output error",
  EAGAIN: "Resource temporarily unavailable",
  EBUSY: "Device or resource busy",
  ETXTBSY: "Text file busy",
  ENOSPC: "No space left on device",
  EDQUOT: "Disk quota exceeded",
};

test("what an older kernel does not have is said with its cure", () => {
  const error = new SyscallError("fanotify_init with FAN_CLASS_PRE_CONTENT", Errno.EOPNOTSUPP);
  expect(whyNoGates(error)).toBe(
    "Cannot set gates: errno and pre_access need Linux 6.14; take them out of the gates, or use a newer kernel",
  );
});
