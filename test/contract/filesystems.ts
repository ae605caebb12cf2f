/** The filesystems that the contract is run on. */
import { mkdirSync } from "node:fs";
import { mountBindfs, mountImage, mountOverlay, mountTmpfs } from "../helpers/mount.ts";
import type { Needs } from "../helpers/requires.ts";
import { type BackendName, wholeFilesystems } from "./script.ts";

export interface Filesystem {
  readonly name: string;
  readonly needs: Needs;
  /** Make it at `path`. @returns where in it the scripts run */
  readonly mount: (path: string) => string;
}

const root = "mounts a filesystem";

export const filesystems: readonly Filesystem[] = [
  { name: "tmpfs", needs: { root }, mount: (path) => mountTmpfs(path).path },
  {
    name: "ext4",
    needs: { root, tools: ["mkfs.ext4"] },
    mount: (path) => mountImage(path, "ext4").path,
  },
  {
    name: "xfs",
    needs: { root, tools: ["mkfs.xfs"] },
    mount: (path) => mountImage(path, "xfs").path,
  },
  {
    name: "btrfs",
    needs: { root, tools: ["mkfs.btrfs"] },
    mount: (path) => mountImage(path, "btrfs").path,
  },
  {
    name: "btrfs subvolume",
    needs: { root, tools: ["mkfs.btrfs", "btrfs"] },
    mount: (path) => {
      const subvolume = `${mountImage(path, "btrfs").path}/subvolume`;
      Bun.spawnSync(["btrfs", "subvolume", "create", subvolume]);
      return subvolume;
    },
  },
  { name: "overlayfs", needs: { root }, mount: (path) => mountOverlay(path).path },
  {
    name: "bindfs",
    needs: { root, tools: ["bindfs"] },
    mount: (path) => {
      mkdirSync(path, { recursive: true });
      return mountBindfs(path).path;
    },
  },
];

export const backends = ["fanotify", "inotify"] as const;

/** Each of them on each of the chosen filesystems, with a title. */
export function chosenPlaces(): Place<Backend>[] {
  return placesOf(backends);
}

/** The same, and `scope = "filesystem"` where the kernel reports a whole filesystem. */
export function chosenPlacesAndScopes(): Place<BackendName>[] {
  return placesOf<BackendName>([...backends, "filesystem"]).filter(
    ({ filesystem, backend }) =>
      backend !== "filesystem" || wholeFilesystems.includes(filesystem.name),
  );
}

export interface Place<Name> {
  readonly filesystem: Filesystem;
  readonly backend: Name;
  readonly on: string;
}

function placesOf<Name>(names: readonly Name[]): Place<Name>[] {
  return chosenFilesystems().flatMap((filesystem) =>
    names.map((backend) => ({ filesystem, backend, on: `${backend} on ${filesystem.name}` })),
  );
}

/** What `facron watch` is given for it. */
export function optionsFor(backend: BackendName): string[] {
  if (backend === "filesystem") return ["--backend", "fanotify", "--scope", "filesystem"];
  return ["--backend", backend];
}

type Backend = (typeof backends)[number];

/** tmpfs, or those that FACRON_TEST_FILESYSTEMS names, by commas; "all" for all. */
function chosenFilesystems(): readonly Filesystem[] {
  const names = (process.env["FACRON_TEST_FILESYSTEMS"] ?? "tmpfs").split(",");
  if (names.includes("all")) return filesystems;
  return names.map((name) => {
    const found = filesystems.find((one) => one.name === name);
    if (found === undefined) throw new Error(`FACRON_TEST_FILESYSTEMS: no filesystem "${name}"`);
    return found;
  });
}
