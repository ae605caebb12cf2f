/** The gates of a plan: what the kernel is told, and files by whatever name they are opened. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { FAN_ALLOW, FAN_AUDIT, FAN_DENY } from "../../ffi/fanotify/abi.ts";
import { responseOf } from "../../ffi/fanotify/permission.ts";
import { Court } from "../../src/gate/court.ts";
import type { GateRoot } from "../../src/gate/messages.ts";
import { unknownActor } from "../../src/rule/actor.ts";
import { denyErrnos, gateBits } from "../../src/rule/gate.ts";
import { gate, planOf } from "./planned.ts";

const question = { events: gateBits.open_perm, facts: () => null, actor: () => unknownActor };

function root(key: string, some: Partial<GateRoot> = {}): GateRoot {
  const claims = [{ gate: 0, recursive: true, skipsHidden: false, names: null }];
  const path = utf8(key);
  return { generation: 1, key, path, inode: "8:1:12", isDirectory: true, claims, ...some };
}

describe("responses", () => {
  test("FAN_DENY_ERRNO has the error in the highest byte (linux/fanotify.h), as a number of 32 bits", () => {
    expect(responseOf(true)).toBe(FAN_ALLOW);
    expect(responseOf(false)).toBe(FAN_DENY);
    expect(responseOf(false, { errno: denyErrnos.EBUSY })).toBe(0x1000_0002);
    expect(responseOf(false, { errno: denyErrnos.EDQUOT }) >>> 0).toBe(0x7a00_0002);
    expect(responseOf(true, { audit: true })).toBe(FAN_ALLOW | FAN_AUDIT);
  });

  test("an error goes with what is denied only, a record for the audit log with both", () => {
    const strict = gate({ audit: true, errno: denyErrnos.EIO });
    const court = new Court(planOf([strict]));
    expect(court.responseFor(strict, "allow")).toBe(FAN_ALLOW | FAN_AUDIT);
    expect(court.responseFor(strict, "deny")).toBe(0x0500_0000 | FAN_DENY | FAN_AUDIT);
  });

  test("a dry run lets everything through", () => {
    const strict = gate();
    expect(new Court(planOf([strict], { dryRun: true })).responseFor(strict, "deny")).toBe(
      FAN_ALLOW,
    );
    expect(new Court(planOf([strict])).responseFor(strict, "deny")).toBe(FAN_DENY);
  });
});

describe("a file that a gate names", () => {
  test("is known by what it is, as long as it is named", () => {
    const court = new Court(planOf([gate()]));
    court.setRoot(root("/etc/shadow", { isDirectory: false }));
    expect(court.fileNamed(() => "8:1:12")).toEqual([utf8("/etc/shadow")]);
    expect(court.fileNamed(() => "8:1:13")).toEqual([]);
    court.removeRoot("/etc/shadow");
    expect(court.fileNamed(() => "8:1:12")).toEqual([]);
  });

  test("is another one after it was replaced", () => {
    const court = new Court(planOf([gate()]));
    court.setRoot(root("/etc/shadow", { isDirectory: false }));
    court.setRoot(root("/etc/shadow", { isDirectory: false, inode: "8:1:99" }));
    expect(court.fileNamed(() => "8:1:12")).toEqual([]);
    expect(court.fileNamed(() => "8:1:99")).toEqual([utf8("/etc/shadow")]);
  });

  test("named twice, it is known until neither name is left", () => {
    const court = new Court(planOf([gate()]));
    court.setRoot(root("/a", { isDirectory: false }));
    court.setRoot(root("/b", { isDirectory: false }));
    expect(court.fileNamed(() => "8:1:12")).toEqual([utf8("/a"), utf8("/b")]);
    court.removeRoot("/b");
    expect(court.fileNamed(() => "8:1:12")).toEqual([utf8("/a")]);
    court.removeRoot("/a");
    expect(court.fileNamed(() => "8:1:12")).toEqual([]);
  });

  test("is not asked about where gates name directories only", () => {
    const court = new Court(planOf([gate()]));
    court.setRoot(root("/srv"));
    const asked = court.fileNamed(() => {
      throw new Error("asked");
    });
    expect(asked).toEqual([]);
    expect(court.indexFor(utf8("/srv/a"), 6, question)).toBe(0);
  });
});
