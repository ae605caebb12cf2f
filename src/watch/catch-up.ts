/** What happened in a new directory before it was watched: found by a look, told as synthetic events. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_REG, DT_UNKNOWN, listDirectory, S_IFDIR, S_IFREG } from "../../ffi/files.ts";
import { isBeingWritten } from "../../ffi/lease.ts";
import { eventBits, type SyntheticReason } from "../event.ts";
import type { Backend, Place } from "./backend.ts";
import { statusOrNull } from "./own-outputs.ts";
import { joined, type Node } from "./tree.ts";

/** An entry that the look found, until it is clear whether the kernel told of it too. */
interface Found {
  readonly name: Uint8Array;
  readonly isDirectory: boolean;
  /** A file that was complete when it was looked at: nobody had it open for writing. */
  readonly isComplete: boolean;
  wasToldCreated: boolean;
  wasToldClosed: boolean;
}

/** A look at one directory. */
interface Look {
  readonly node: Node;
  readonly backend: Backend;
  readonly found: Map<string, Found>;
  /** When the backend has read this many bytes, every record from before the look has been seen. */
  readonly until: number;
}

export type SyntheticEvent = (
  place: Place,
  events: number,
  isDirectory: boolean,
  reason: SyntheticReason,
) => void;

/**
 * Closes the gap between mkdir and the watch on the new directory (inotify(7), "Limitations").
 *
 * The directory is watched first and listed then. What happened in between is told by the kernel as
 * well, so an entry is only told here once all records that were queued at the time of the look have
 * been read, and none of them told it.
 */
export class CatchUp {
  readonly #looks = new Map<Node, Look>();
  readonly #tell: SyntheticEvent;

  constructor(tell: SyntheticEvent) {
    this.#tell = tell;
  }

  /** Directories whose records have to be shown to `entrySeen`. */
  get openLooks(): number {
    return this.#looks.size;
  }

  /** Look into a directory that is watched since a moment ago. */
  look(node: Node, backend: Backend): void {
    const found = new Map<string, Found>();
    const wantsClosed = ((node.interests?.events ?? 0) & eventBits.close_write) !== 0;
    try {
      listDirectory(cString(node.path), (name, type) => {
        found.set(latin1(name), this.#find(node, name, type, wantsClosed));
      });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // Gone or closed to us: the walk says so.
    }
    const until = backend.consumed + backend.queuedBytes;
    if (found.size > 0) this.#looks.set(node, { node, backend, found, until });
  }

  /** The kernel told of an entry: it need not be told again. */
  entrySeen(node: Node, events: number, bytes: Uint8Array, start: number, end: number): void {
    const look = this.#looks.get(node);
    if (look === undefined) return;
    const key = latin1(bytes.subarray(start, end));
    const entry = look.found.get(key);
    if (entry === undefined) return;
    const gone = eventBits.delete | eventBits.moved_from;
    if ((events & (eventBits.create | eventBits.moved_to)) !== 0) entry.wasToldCreated = true;
    if ((events & eventBits.close_write) !== 0) entry.wasToldClosed = true;
    if ((events & gone) !== 0 && (events & ~gone) === 0) this.#tellOne(look, entry);
    if ((events & gone) !== 0) look.found.delete(key);
  }

  /** Tell what the kernel did not, of each look whose records are all read. */
  tellDue(): void {
    if (this.#looks.size === 0) return;
    for (const look of [...this.#looks.values()]) {
      if (look.backend.consumed < look.until) continue;
      this.#looks.delete(look.node);
      for (const entry of look.found.values()) this.#tellOne(look, entry);
    }
  }

  #find(node: Node, name: Uint8Array, type: number, wantsClosed: boolean): Found {
    const path = cString(joined(node, name));
    const status = type === DT_UNKNOWN ? statusOrNull(path, { followSymlink: false }) : null;
    const isDirectory = type === DT_DIR || status?.kind === S_IFDIR;
    const isFile = type === DT_REG || status?.kind === S_IFREG;
    const isComplete = isFile && wantsClosed && !isBeingWritten(path);
    return { name, isDirectory, isComplete, wasToldCreated: false, wasToldClosed: false };
  }

  #tellOne(
    look: Look,
    { name, isDirectory, isComplete, wasToldCreated, wasToldClosed }: Found,
  ): void {
    const place = { node: look.node, name };
    if (!wasToldCreated) this.#tell(place, eventBits.create, isDirectory, "new-directory");
    if (wasToldCreated || wasToldClosed || !isComplete) return;
    this.#tell(place, eventBits.close_write, isDirectory, "new-directory");
  }
}
