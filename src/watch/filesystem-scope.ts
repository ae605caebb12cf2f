/** Roots whose filesystems report as a whole: what is asked of these, for all of them together. */
import { cString } from "../../ffi/bytes.ts";
import type { WholeFilesystems } from "./backend.ts";
import type { Directories } from "./directories.ts";
import { Finder, pathsUpFrom } from "./finder.ts";
import type { Root } from "./tree.ts";
import { filesystemWant, marksFilesystem } from "./want.ts";

export class FilesystemScope {
  readonly finder: Finder;
  readonly #filesystems: WholeFilesystems;

  constructor(filesystems: WholeFilesystems, directories: Directories) {
    this.#filesystems = filesystems;
    this.finder = new Finder(filesystems, directories);
    filesystems.finder = this.finder;
  }

  /** A root is there, or its rules are others. @throws {SyscallError} */
  set(root: Root): void {
    const { node, path } = root;
    if (node === null || !node.isDirectory) return;
    const { identity } = node.mark;
    if (!marksFilesystem(root)) return this.remove(root, identity);
    const roots = new Set([...this.finder.rootsOn(identity!), root]);
    this.#filesystems.watch(cString(path), identity!, filesystemWant([...roots]));
    this.finder.add(root);
  }

  /** @param identity that it had */
  remove(root: Root, identity: Uint8Array | null): void {
    if (!this.finder.remove(root) || identity === null) return;
    const others = this.finder.rootsOn(identity);
    const want = others.length === 0 ? null : filesystemWant(others);
    // The root may be gone, and what is above it is on the same filesystem, unless it was all of it.
    const paths = [...others.map(({ path }) => path), ...pathsUpFrom(root.path)];
    const path = paths.find((one) => this.#filesystems.isOn(cString(one), identity));
    if (path === undefined) this.#filesystems.unmounted(identity);
    else this.#filesystems.watch(cString(path), identity, want);
  }
}
