/** The filesystems that the contract is run on. */
import { mkdirSync } from "node:fs";
import { mountBindfs, mountImage, mountOverlay, mountTmpfs } from "../helpers/mount.ts";
import type { Needs } from "../helpers/requires.ts";

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
