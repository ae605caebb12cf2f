/** Marks of a group that decides, read back from /proc. Nothing is opened that they hold. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import {
  FAN_EVENT_ON_CHILD,
  FAN_ONDIR,
  FAN_OPEN_PERM,
  FAN_PRE_ACCESS,
} from "../../../ffi/fanotify/abi.ts";
import {
  permissionGroup,
  permissionMarkAdd,
  permissionMarkCall,
  permissionMarkRemove,
  permissionMarksFlush,
  type PermissionObject,
} from "../../../ffi/fanotify/permission.ts";
import { cPath } from "../../helpers/c-path.ts";
import { mountImage, mountTmpfs } from "../../helpers/mount.ts";
import { requires } from "../../helpers/requires.ts";
import { tempDir } from "../../helpers/temp-dir.ts";

const rootTest = requires({ root: "has a group that decides" });

/** "ino", "mnt_id" or "sdev", and the mask (proc_pid_fdinfo(5)). */
function marksOf(group: number): string[] {
  const lines = readFileSync(`/proc/self/fdinfo/${group}`, "utf8").matchAll(
    /^fanotify (ino|mnt_id|sdev):.* mask:([0-9a-f]+)/gm,
  );
  return [...lines].map(([, kind, mask]) => `${kind} ${mask}`);
}

describe.each([
  ["inode", "ino"],
  ["mount", "mnt_id"],
  ["filesystem", "sdev"],
] as const)("a permission mark on an object of kind %s", (object, kind) => {
  rootTest("comes, narrows, and goes with its last bit", () => {
    const dir = tempDir();
    using _ = mountTmpfs(dir.join("m"));
    using group = permissionGroup({ preContent: false, audit: false });
    const path = cPath(dir.join("m"));
    permissionMarkAdd(group.number, object, path, FAN_OPEN_PERM | FAN_ONDIR);
    expect(marksOf(group.number)).toEqual([`${kind} 40010000`]);
    permissionMarkRemove(group.number, object, path, FAN_ONDIR);
    expect(marksOf(group.number)).toEqual([`${kind} 10000`]);
    permissionMarkRemove(group.number, object, path, FAN_OPEN_PERM);
    expect(marksOf(group.number)).toEqual([]);
    expect(() => permissionMarkRemove(group.number, object, path, FAN_OPEN_PERM)).toThrow(
      "no such file",
    );
  });
});

describe("a permission mark", () => {
  rootTest("is flushed with all others on objects of its kind", () => {
    const dir = tempDir();
    using _ = mountTmpfs(dir.join("m"));
    using group = permissionGroup({ preContent: false, audit: false });
    const add = (object: PermissionObject) =>
      permissionMarkAdd(group.number, object, cPath(dir.join("m")), FAN_OPEN_PERM);
    add("inode");
    add("mount");
    permissionMarksFlush(group.number, "inode");
    expect(marksOf(group.number)).toEqual(["mnt_id 10000"]);
  });

  rootTest("is refused on procfs, with its own name for the call", () => {
    using group = permissionGroup({ preContent: false, audit: false });
    const add = () => permissionMarkAdd(group.number, "inode", cPath("/proc/sys"), FAN_OPEN_PERM);
    expect(add).toThrow(permissionMarkCall);
  });

  rootTest("has FAN_PRE_ACCESS on ext4, not on tmpfs, and never beside FAN_ONDIR", () => {
    const dir = tempDir({ on: "disk" });
    using _disk = mountImage(dir.join("ext4"), "ext4");
    using _memory = mountTmpfs(dir.join("tmpfs"));
    using group = permissionGroup({ preContent: true, audit: false });
    const codeOf = (name: string, mask: number): string => {
      try {
        permissionMarkAdd(group.number, "inode", cPath(dir.join(name)), mask);
        return "";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const preAccess = FAN_PRE_ACCESS | FAN_EVENT_ON_CHILD;
    expect(codeOf("tmpfs", preAccess)).toBe("EOPNOTSUPP");
    expect(codeOf("ext4", preAccess | FAN_ONDIR)).toBe("EINVAL");
    expect(codeOf("ext4", preAccess)).toBe("");
    expect(codeOf("ext4", FAN_OPEN_PERM | FAN_ONDIR)).toBe("EEXIST");
    expect(marksOf(group.number)).toEqual(["ino 8100000"]);
  });
});
