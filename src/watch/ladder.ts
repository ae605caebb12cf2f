/** Which backend serves a rule: the one its events name, or the best that works here. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { BackendName } from "../rule/rule.ts";
import type { ActorDesk } from "./actor-desk.ts";
import type { Backend } from "./backend.ts";
import { causeOf } from "./explain.ts";
import { FanotifyBackend } from "./fanotify.ts";
import { InotifyBackend } from "./inotify.ts";

/** How backends are opened; tests put a kernel without fanotify here. */
export type OpenBackend = Readonly<Record<BackendName, (actors: ActorDesk | null) => Backend>>;

const openReal: OpenBackend = {
  inotify: () => new InotifyBackend(),
  fanotify: (actors) => new FanotifyBackend(process.pid, actors),
};

/** Opens each backend when the first rule needs it, and remembers why one cannot be had. */
export class Ladder {
  readonly #open: OpenBackend;
  readonly #backends = new Map<BackendName, Backend | SyscallError>();
  /** Of backends that are opened from now on, those that can tell who did it tell it to this. */
  #actors: ActorDesk | null = null;

  constructor(open = openReal) {
    this.#open = open;
  }

  /** @returns the backend, or the error for which there is none */
  backend(name: BackendName): Backend | SyscallError {
    const known = this.#backends.get(name);
    if (known !== undefined) return known;
    const opened = this.#tryOpen(name);
    this.#backends.set(name, opened);
    return opened;
  }

  get tellsActors(): boolean {
    return this.#actors !== null;
  }

  /**
   * From now on fanotify tells who did it, or no longer does. For that it has to be opened anew: what
   * it was until now the caller has to close.
   *
   * @returns the error if that can't be: then all stays as it is
   */
  tellActors(actors: ActorDesk | null): SyscallError | null {
    const before = this.#backends.get("fanotify");
    const actorsBefore = this.#actors;
    this.#actors = actors;
    if (before === undefined || before instanceof SyscallError) return null;
    const opened = this.#tryOpen("fanotify");
    if (opened instanceof SyscallError) {
      this.#actors = actorsBefore;
      return opened;
    }
    this.#backends.set("fanotify", opened);
    return null;
  }

  #tryOpen(name: BackendName): Backend | SyscallError {
    try {
      return this.#open[name](this.#actors);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return error;
    }
  }
}

/** Errors of fanotify_mark and name_to_handle_at that say "not on this filesystem" (fanotify_mark(2)). */
export function isUnsupportedFilesystem(error: SyscallError): boolean {
  const { errno } = error;
  return (
    errno === Errno.ENODEV ||
    errno === Errno.EXDEV ||
    errno === Errno.EOPNOTSUPP ||
    errno === Errno.EOVERFLOW
  );
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
