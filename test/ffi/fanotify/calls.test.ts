/** fanotify's calls against the real kernel, read back through the cursors. */
import { describe, expect } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { latin1 } from "../../../ffi/bytes.ts";
import {
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_DELETE,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_EVENT_ON_CHILD,
  FAN_MODIFY,
  FAN_ONDIR,
  FAN_OPEN,
  FAN_RENAME,
} from "../../../ffi/fanotify/abi.ts";
import {
  fanotifyInit,
  fanotifyMarkAdd,
  fanotifyMarkRemove,
  fileIdentity,
} from "../../../ffi/fanotify/calls.ts";
import { FanotifyReader, InfoReader } from "../../../ffi/fanotify/reader.ts";
import { type Fd, bytesReadable, O, openFd, readNow } from "../../../ffi/fd.ts";
import { cPath } from "../../helpers/c-path.ts";
import { mountBindfs, mountImage, mountOverlay, mountTmpfs } from "../../helpers/mount.ts";
import { requires } from "../../helpers/requires.ts";
import { tempDir } from "../../helpers/temp-dir.ts";

const buffer = new Uint8Array(64 * 1024);
const reader = new FanotifyReader(buffer);
const info = new InfoReader(reader);

interface Info {
  readonly type: number;
  readonly identity: Uint8Array;
  readonly name: string;
}

/** Everything that is queued: fanotify queues before the call that made the event returns. */
function readAll(group: Fd) {
  const events: { mask: number; fd: number; pid: number; infos: Info[] }[] = [];
  for (let length = readNow(group.number, buffer); length !== -1;) {
    reader.reset(length);
    while (reader.next()) {
      const { mask, fd, pid } = reader;
      events.push({ mask, fd, pid, infos: readInfos() });
    }
    length = readNow(group.number, buffer);
  }
  return events;
}

function readInfos(): Info[] {
  const infos: Info[] = [];
  info.reset(reader.infoStart, reader.infoEnd);
  while (info.next()) {
    const identity = buffer.slice(info.identityStart, info.identityEnd);
    const name = latin1(buffer.subarray(info.nameStart, info.nameEnd));
    infos.push({ type: info.type, identity, name });
  }
  return infos;
}

function openGroup(): Fd {
  return fanotifyInit({ unlimitedMarks: false });
}

const modernTest = requires({ kernel: "5.17" });

describe("fanotify", () => {
  modernTest("has nothing to read at first", () => {
    using group = openGroup();
    expect(bytesReadable(group.number)).toBe(0);
    expect(readNow(group.number, buffer)).toBe(-1);
  });

  modernTest("reports one file's create, write and close as one event with name and target", () => {
    using dir = tempDir();
    using group = openGroup();
    const mask = FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD;
    fanotifyMarkAdd(group.number, cPath(dir.path), mask);
    writeFileSync(dir.join("a file.csv"), "x");
    const [event, ...others] = readAll(group);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ mask: FAN_CREATE | FAN_MODIFY | FAN_CLOSE_WRITE, fd: -1 });
    expect(event!.infos).toEqual([
      {
        type: FAN_EVENT_INFO_TYPE_DFID_NAME,
        identity: fileIdentity(cPath(dir.path)),
        name: "a file.csv",
      },
      {
        type: FAN_EVENT_INFO_TYPE_FID,
        identity: fileIdentity(cPath(dir.path, "a file.csv")),
        name: "",
      },
    ]);
  });

  modernTest("says who did it, at least to the process itself", () => {
    using dir = tempDir();
    using group = openGroup();
    fanotifyMarkAdd(group.number, cPath(dir.path), FAN_CREATE);
    dir.write("mine");
    expect(readAll(group)[0]!.pid).toBe(process.pid);
  });

  modernTest("reports a rename with both directories, both names and the target", () => {
    using dir = tempDir();
    using group = openGroup();
    const [from, to] = [dir.mkdir("from"), dir.mkdir("to")];
    dir.write("from/old");
    fanotifyMarkAdd(group.number, cPath(from), FAN_RENAME);
    fanotifyMarkAdd(group.number, cPath(to), FAN_RENAME);
    renameSync(`${from}/old`, `${to}/the new name`);
    const [event, ...others] = readAll(group);
    expect(others).toEqual([]);
    expect(event!.mask).toBe(FAN_RENAME);
    expect(event!.infos).toEqual([
      { type: FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, identity: fileIdentity(cPath(from)), name: "old" },
      {
        type: FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
        identity: fileIdentity(cPath(to)),
        name: "the new name",
      },
      {
        type: FAN_EVENT_INFO_TYPE_FID,
        identity: fileIdentity(cPath(to, "the new name")),
        name: "",
      },
    ]);
  });

  modernTest("reports events of a marked directory itself by the name .", () => {
    using dir = tempDir();
    using group = openGroup();
    fanotifyMarkAdd(group.number, cPath(dir.path), FAN_OPEN | FAN_ONDIR);
    openFd(cPath(dir.path), O.RDONLY | O.DIRECTORY).close();
    const [event] = readAll(group);
    expect(event!.mask).toBe(FAN_OPEN | FAN_ONDIR);
    expect(event!.infos).toEqual([
      { type: FAN_EVENT_INFO_TYPE_DFID_NAME, identity: fileIdentity(cPath(dir.path)), name: "." },
    ]);
  });

  modernTest(
    "reports a marked file under the link that was written, and by its own identity",
    () => {
      using dir = tempDir();
      using group = openGroup();
      const file = dir.write("file");
      Bun.spawnSync(["ln", file, dir.join("link")]);
      fanotifyMarkAdd(group.number, cPath(file), FAN_MODIFY);
      writeFileSync(dir.join("link"), "changed");
      const [event] = readAll(group);
      expect(event!.infos).toEqual([
        {
          type: FAN_EVENT_INFO_TYPE_DFID_NAME,
          identity: fileIdentity(cPath(dir.path)),
          name: "link",
        },
        { type: FAN_EVENT_INFO_TYPE_FID, identity: fileIdentity(cPath(file)), name: "" },
      ]);
    },
  );

  modernTest("keeps events of one name apart from those of the next", () => {
    using dir = tempDir();
    using group = openGroup();
    fanotifyMarkAdd(group.number, cPath(dir.path), FAN_CREATE | FAN_DELETE);
    const names = ["a", "a name that is longer", "b", "n".repeat(255), "c"];
    for (const name of names) dir.write(name);
    expect(readAll(group).map((event) => event.infos[0]!.name)).toEqual(names);
  });

  modernTest("gives names byte for byte", () => {
    using dir = tempDir();
    using group = openGroup();
    fanotifyMarkAdd(group.number, cPath(dir.path), FAN_CREATE);
    const name = Uint8Array.of(0xff, 0x20, 0x0a, 0xfe);
    openFd(cPath(dir.path, name), O.WRONLY | O.CREAT, 0o600).close();
    expect(readAll(group)[0]!.infos[0]!.name).toBe("\xff \n\xfe");
  });

  modernTest("adds to a mark, takes off it, and the mark goes with its last bit", () => {
    using dir = tempDir();
    using group = openGroup();
    const path = cPath(dir.path);
    fanotifyMarkAdd(group.number, path, FAN_CREATE);
    fanotifyMarkAdd(group.number, path, FAN_DELETE);
    fanotifyMarkRemove(group.number, path, FAN_CREATE);
    dir.write("a");
    rmSync(dir.join("a"));
    expect(readAll(group).map(({ mask }) => mask)).toEqual([FAN_DELETE]);
    fanotifyMarkRemove(group.number, path, FAN_DELETE);
    const again = () => fanotifyMarkRemove(group.number, path, FAN_DELETE);
    expect(again).toThrow("fanotify_mark: no such file or directory");
  });

  modernTest(
    "throws ENOTDIR for what only directories have, and what is wrong with the path",
    () => {
      using dir = tempDir();
      using group = openGroup();
      const file = cPath(dir.write("file"));
      const add = (path: Uint8Array, mask: number) => () =>
        fanotifyMarkAdd(group.number, path, mask);
      expect(add(file, FAN_MODIFY | FAN_EVENT_ON_CHILD)).toThrow("fanotify_mark: not a directory");
      expect(add(file, FAN_MODIFY | FAN_ONDIR)).toThrow("fanotify_mark: not a directory");
      expect(add(file, FAN_RENAME)).toThrow("fanotify_mark: not a directory");
      expect(add(cPath(dir.path, "none"), FAN_MODIFY)).toThrow(
        "fanotify_mark: no such file or directory",
      );
      expect(add(cPath(dir.path), 0x8000_0000)).toThrow("fanotify_mark: invalid argument");
    },
  );
});

describe("fileIdentity", () => {
  modernTest("follows a symbolic link", () => {
    using dir = tempDir();
    const target = dir.mkdir("target");
    symlinkSync(target, dir.join("link"));
    expect(fileIdentity(cPath(dir.path, "link"))).toEqual(fileIdentity(cPath(target)));
  });

  modernTest("is a copy that a second call leaves alone", () => {
    using dir = tempDir();
    const first = fileIdentity(cPath(dir.mkdir("a")));
    const copy = first.slice();
    expect(fileIdentity(cPath(dir.mkdir("b")))).not.toEqual(copy);
    expect(first).toEqual(copy);
  });

  modernTest("throws what is wrong with the path", () => {
    using dir = tempDir();
    const identity = (name: string) => () => fileIdentity(cPath(dir.path, name));
    expect(identity("none")).toThrow("no such file or directory");
    dir.write("file");
    expect(identity("file/below")).toThrow("not a directory");
  });

  modernTest("is what events carry on the disk's filesystem", () => {
    using dir = tempDir({ on: "disk" });
    expectIdentityOfEvents(dir.mkdir("d"));
  });

  const mounts = {
    tmpfs: mountTmpfs,
    ext4: (path: string) => mountImage(path, "ext4"),
    btrfs: (path: string) => mountImage(path, "btrfs"),
    xfs: (path: string) => mountImage(path, "xfs"),
    overlayfs: mountOverlay,
    bindfs: (path: string) => mountBindfs(path),
  };
  const tools: Readonly<Record<string, readonly string[]>> = {
    btrfs: ["mkfs.btrfs", "btrfs"],
    xfs: ["mkfs.xfs"],
    bindfs: ["bindfs"],
  };
  // FUSE has no filesystem id: Linux 6.8 takes inode marks all the same.
  const kernels: Readonly<Record<string, string>> = { bindfs: "6.8", overlayfs: "6.8" };

  for (const [type, mountOn] of Object.entries(mounts)) {
    const needs = {
      root: `mounts ${type}`,
      tools: tools[type] ?? [],
      kernel: kernels[type] ?? "5.17",
    };
    requires(needs)(`is what events carry on ${type}`, () => {
      using dir = tempDir({ on: "disk" }); // overlayfs does not stack on every tmpfs
      using mounted = mountOn(dir.join("mounted"));
      expectIdentityOfEvents(mounted.path);
      expectIdentityOfEvents(`${mounted.path}/below`);
    });
  }

  requires({ root: "mounts btrfs", tools: tools["btrfs"]!, kernel: "6.8" })(
    "is what events carry in a btrfs subvolume",
    () => {
      using dir = tempDir();
      using mounted = mountImage(dir.join("btrfs"), "btrfs");
      const subvolume = `${mounted.path}/subvolume`;
      expect(Bun.spawnSync(["btrfs", "subvolume", "create", subvolume]).success).toBe(true);
      expectIdentityOfEvents(subvolume);
    },
  );
});

/** Creates something in `directory` and compares the event's bytes with `fileIdentity`'s. */
function expectIdentityOfEvents(directory: string): void {
  mkdirSync(directory, { recursive: true });
  using group = openGroup();
  fanotifyMarkAdd(group.number, cPath(directory), FAN_CREATE | FAN_EVENT_ON_CHILD | FAN_ONDIR);
  mkdirSync(`${directory}/made`);
  const [event] = readAll(group);
  expect(event!.infos[0]).toEqual({
    type: FAN_EVENT_INFO_TYPE_DFID_NAME,
    identity: fileIdentity(cPath(directory)),
    name: "made",
  });
  expect(event!.infos[1]!.identity).toEqual(fileIdentity(cPath(directory, "made")));
}
