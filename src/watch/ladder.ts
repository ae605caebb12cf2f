/** Which backend serves a rule: the one its events name, or the best that works here. */
import { fileIdentity, hasFilesystemId } from "../../ffi/fanotify/calls.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { BackendName } from "../rule/rule.ts";
import type { ActorDesk } from "./actor-desk.ts";
import type { Backend } from "./backend.ts";
import { causeOf } from "./explain.ts";
import { FanotifyBackend, type FanotifyOptions } from "./fanotify.ts";
import { isCopyRefused, KnownMarks } from "./group-marks.ts";
import { InotifyBackend } from "./inotify.ts";
import { JointBackend, type Spares } from "./joint-backend.ts";
import { RecordCount } from "./record-count.ts";

/** How queues are opened; tests put a kernel that refuses one here. */
export interface OpenBackend {
  readonly inotify: (count: RecordCount) => Backend;
  readonly fanotify: (options: FanotifyOptions) => Backend;
}

export type Join = (first: Backend, spares: Spares) => JointBackend;

export const openReal: OpenBackend = {
  inotify: (count) => new InotifyBackend(count),
  fanotify: (options) => new FanotifyBackend(process.pid, options),
};

/**
 * Opens each backend when the first rule needs it, and remembers why one cannot be had.
 *
 * Without privilege (CAP_SYS_ADMIN) inotify is the better rung, though fanotify could be had as well, for
 * inode marks (Linux 5.13): fanotify would give no pids, as they are 0 then (fanotify(7)), and it merges
 * what one process does to a file into one record without an order, which only pids make up for. It keeps
 * the halves of a rename together and knows directories by handle, so it is what is left when inotify is
 * used up: its marks are counted apart (fs.fanotify.max_user_marks).
 */
export class Ladder {
  readonly #open: OpenBackend;
  readonly #join: Join;
  readonly #backends = new Map<BackendName, JointBackend | SyscallError>();
  #withoutPrivilege: JointBackend | SyscallError | null = null;
  /** Also of queues that are closed by now. */
  readonly counts: Readonly<Record<BackendName, RecordCount>> = {
    inotify: new RecordCount(),
    fanotify: new RecordCount(),
  };
  /** All that are open. */
  readonly opened: JointBackend[] = [];
  /** Of backends that are opened from now on, those that can tell who did it tell it to this. */
  #actors: ActorDesk | null = null;

  /** @param join makes one backend of several queues */
  constructor(open = openReal, join: Join = (first, spares) => new JointBackend(first, spares)) {
    this.#open = open;
    this.#join = join;
  }

  /** @returns the backend, or the error for which there is none */
  backend(name: BackendName): Backend | SyscallError {
    const known = this.#backends.get(name);
    if (known !== undefined) return known;
    const opened = this.#tryOpen(name === "inotify" ? this.#openInotify : this.#openFanotify);
    this.#backends.set(name, opened);
    return opened;
  }

  get tellsActors(): boolean {
    return this.#actors !== null;
  }

  /**
   * From now on fanotify tells who did it, or no longer does. For that it has to be opened anew.
   *
   * @returns what it was until now, for the caller to close, or null if it was not open; the error if it
   *   can't be opened anew: then all stays as it is
   */
  tellActors(actors: ActorDesk | null): Backend | SyscallError | null {
    const before = this.#backends.get("fanotify");
    const actorsBefore = this.#actors;
    this.#actors = actors;
    if (before === undefined || before instanceof SyscallError) return null;
    const opened = this.#tryOpen(this.#openFanotify);
    if (opened instanceof SyscallError) {
      this.#actors = actorsBefore;
      return opened;
    }
    this.#backends.set("fanotify", opened);
    this.opened.splice(this.opened.indexOf(before), 1);
    return before;
  }

  /** fanotify as anybody may have it, where inotify is used up; what is open already serves as it is. */
  fanotifyWithoutPrivilege(): Backend | SyscallError {
    const known = this.#backends.get("fanotify");
    if (known instanceof JointBackend) return known;
    return (this.#withoutPrivilege ??= this.#tryOpen(() =>
      this.#joinFanotify({ unlimitedMarks: false }),
    ));
  }

  /** Null for a backend that refuses nothing. */
  jointOf(backend: Backend): JointBackend | null {
    return this.opened.find((one) => one === backend) ?? null;
  }

  /** Kernel marks or watches that are held by all backends of one kind. */
  marksOf(name: BackendName): number {
    return this.opened.reduce((sum, one) => sum + one.marksOf(name), 0);
  }

  /** Places that a limit of the kernel keeps from being watched. */
  get unwatched(): number {
    return this.opened.reduce((sum, { unwatched }) => sum + unwatched.size, 0);
  }

  #tryOpen(open: () => JointBackend): JointBackend | SyscallError {
    try {
      const opened = open();
      this.opened.push(opened);
      return opened;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return error;
    }
  }

  readonly #openFanotify = (): JointBackend =>
    this.#joinFanotify({ unlimitedMarks: true, actors: this.#actors });

  #joinFanotify(wishes: FanotifyOptions): JointBackend {
    const options = { ...wishes, count: this.counts.fanotify } satisfies FanotifyOptions;
    const known = new KnownMarks();
    const shared = { ...options, known } satisfies FanotifyOptions;
    const spares: Spares = {
      sibling: (path, why) => {
        if (isCopyRefused(why) || !hasFilesystemId(fileIdentity(path)))
          return this.#open.fanotify(options);
        known.hasSubvolumes = true;
        return this.#open.fanotify(shared);
      },
      other: () => this.#openOneInotify(),
    };
    return this.#join(this.#open.fanotify(shared), spares);
  }

  readonly #openInotify = (): JointBackend => {
    const other = (joint: JointBackend): Backend =>
      this.#open.fanotify({
        unlimitedMarks: false,
        count: this.counts.fanotify,
        isNamedElsewhere: ({ mark }) => joint.isFirsts(mark),
      });
    return this.#join(this.#openOneInotify(), { sibling: null, other });
  };

  #openOneInotify(): Backend {
    return this.#open.inotify(this.counts.inotify);
  }
}

/** Why fanotify does not serve: one clause. */
export function whyNotFanotify(error: SyscallError): string {
  switch (error.errno) {
    case Errno.EPERM:
      return "fanotify needs root (CAP_SYS_ADMIN)";
    case Errno.EINVAL:
      return "this kernel's fanotify cannot name files (FAN_REPORT_TARGET_FID, Linux 5.17)";
    case Errno.ENOSYS:
      return "this kernel has no fanotify";
    default:
      return `fanotify cannot be used: ${causeOf(error, "fanotify")}`;
  }
}
