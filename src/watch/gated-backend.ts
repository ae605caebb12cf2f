/** Queues that serve the trees of gates: wherever one watches an inode, the kernel holds it for the gates too. */
import type { Backend, Want } from "./backend.ts";
import { JointBackend, type Spares } from "./joint-backend.ts";
import type { PermissionMarks } from "./permission-marks.ts";
import { refuseOverlayBelow } from "./remote-filesystems.ts";
import type { Mark } from "./tree.ts";

export class GatedBackend extends JointBackend {
  readonly #permissions: PermissionMarks;

  constructor(first: Backend, spares: Spares, permissions: PermissionMarks) {
    super(first, spares);
    this.#permissions = permissions;
  }

  /** Before a directory is listed: whatever is in it by then is found, and what comes later is told. */
  override add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const mark = super.add(path, isDirectory, want);
    try {
      if (isDirectory && !want.isTop && want.permissions !== 0) refuseOverlayBelow(path);
      this.#permissions.add(mark, path, want.permissions);
    } catch (error) {
      if (mark.nodes.length === 0 && mark.names === null) super.remove(mark, path);
      throw error;
    }
    return mark;
  }

  override change(mark: Mark, path: Uint8Array, want: Want): void {
    super.change(mark, path, want);
    this.#permissions.change(mark, path, want.permissions);
  }

  override remove(mark: Mark, path: Uint8Array): void {
    super.remove(mark, path);
    this.#permissions.remove(mark, path);
  }

  override forget(mark: Mark): void {
    super.forget(mark);
    this.#permissions.forget(mark);
  }
}
