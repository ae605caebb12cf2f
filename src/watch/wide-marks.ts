/** What the kernel is asked to hold on whole mounts and filesystems, for gates that ask for that. */
import { cString, fromLatin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { mountId } from "../../ffi/files.ts";
import type { GateScope } from "../rule/gate.ts";
import { type Mount, readMounts } from "./mount-table.ts";
import { OpenPath } from "./open-path.ts";
import type { PermissionMarks } from "./permission-marks.ts";

export type WideScope = Exclude<GateScope, "tree">;

export interface Wide {
  readonly scope: WideScope;
  /** As the kernel has it. */
  readonly mask: number;
}

/** A mount, or a filesystem with its mounts: what a mark is on. */
interface Marked {
  readonly scope: WideScope;
  readonly mountId: number;
  /** "major:minor" of the filesystem. */
  readonly device: string;
  /** By who asks: what it asks for. */
  readonly masks: Map<string, number>;
}

export class WideMarks {
  readonly #permissions: PermissionMarks;
  readonly #marked = new Map<string, Marked>();

  constructor(permissions: PermissionMarks) {
    this.#permissions = permissions;
  }

  /** Another group has no marks. */
  clear(): void {
    this.#marked.clear();
  }

  get count(): number {
    return this.#marked.size;
  }

  /**
   * Hold exactly this for somebody, on the mount or the filesystem that a path is on.
   *
   * @param owner his name
   * @param path NUL-terminated
   * @throws {SyscallError} as `permissionMarkAdd`
   */
  set(owner: string, path: Uint8Array, wides: readonly Wide[]): void {
    const keys = new Set<string>();
    for (const wide of wides) keys.add(this.#add(owner, path, wide));
    this.#dropBut(owner, keys);
  }

  /** Nothing for him any more. */
  remove(owner: string): void {
    this.#dropBut(owner, new Set());
  }

  #add(owner: string, path: Uint8Array, { scope, mask }: Wide): string {
    const id = mountId(path) ?? 0;
    const device = readMounts().get(`${id}`)?.device ?? "";
    const key = scope === "mount" ? `mount ${id} ${device}` : `filesystem ${device || id}`;
    const known = this.#marked.get(key);
    const marked = known ?? { scope, mountId: id, device, masks: new Map<string, number>() };
    const before = maskOf(marked);
    const after = maskOf(marked, { owner, mask });
    // All of it: if it was unmounted meanwhile and is mounted again, the mark is gone.
    this.#permissions.put(scope, path, { before, after });
    marked.masks.set(owner, mask);
    this.#marked.set(key, marked);
    return key;
  }

  #dropBut(owner: string, kept: ReadonlySet<string>): void {
    for (const [key, marked] of this.#marked) {
      if (kept.has(key) || !marked.masks.has(owner)) continue;
      const before = maskOf(marked);
      marked.masks.delete(owner);
      if (marked.masks.size === 0) this.#marked.delete(key);
      this.#narrow(marked, before);
    }
  }

  /** The path by which it was marked may be gone: any other on it serves. */
  #narrow(marked: Marked, before: number): void {
    const { scope } = marked;
    for (const path of pathsOn(marked)) {
      try {
        using there = OpenPath.follow(path);
        if (!isOn(marked, there.path)) continue;
        return this.#permissions.put(scope, there.path, { before, after: maskOf(marked) });
      } catch (error) {
        if (!(error instanceof SyscallError)) throw error; // unmounted at this moment
      }
    }
  }
}

/** Of all who ask. */
function maskOf(
  { masks }: Marked,
  also: { readonly owner: string; readonly mask: number } | null = null,
): number {
  let all = also?.mask ?? 0;
  for (const [owner, mask] of masks) if (owner !== also?.owner) all |= mask;
  return all;
}

/** Where what is marked is mounted. */
function pathsOn(marked: Marked): Uint8Array[] {
  const mounts = [...readMounts()].filter(([id, mount]) => isMountOf(marked, id, mount));
  return mounts.map(([, { path }]) => cString(fromLatin1(path)));
}

function isMountOf({ scope, mountId: marked, device }: Marked, id: string, mount: Mount): boolean {
  return mount.device === device && (scope === "filesystem" || id === `${marked}`);
}

/** Another mount may lie upon it. */
function isOn(marked: Marked, path: Uint8Array): boolean {
  const id = `${mountId(path) ?? 0}`;
  const mount = readMounts().get(id);
  return mount !== undefined && isMountOf(marked, id, mount);
}
