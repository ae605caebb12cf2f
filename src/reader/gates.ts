/**
 * Where the kernel holds what gates decide about. The trees of gates are kept as those of rules are, by
 * queues of their own: a rule neither sees nor pays for a gate.
 */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { fileStatus, readLink } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import type { RuleSet } from "../rule/rule-set.ts";
import type { Backend } from "../watch/backend.ts";
import { cannotWatch, causeOf, isOfGate } from "../watch/explain.ts";
import { FanotifyBackend } from "../watch/fanotify.ts";
import { GatedBackend } from "../watch/gated-backend.ts";
import { isUnsupportedFilesystem, type JointBackend } from "../watch/joint-backend.ts";
import { Ladder, type OpenBackend, openReal } from "../watch/ladder.ts";
import { isLimit } from "../watch/limits.ts";
import { OpenPath } from "../watch/open-path.ts";
import { OwnOutputs } from "../watch/own-outputs.ts";
import { PermissionMarks } from "../watch/permission-marks.ts";
import type { RootFound } from "../watch/root-marks.ts";
import { isGone } from "../watch/side-watch.ts";
import type { Root } from "../watch/tree.ts";
import type { TableObserver, WatchTableOptions } from "../watch/watch-table.ts";
import { type Wide, WideMarks } from "../watch/wide-marks.ts";
import type { Claim } from "./claims.ts";
import { GateRoots } from "./gate-roots.ts";
import type { Plan } from "./plan.ts";
import { Refusals } from "./refusals.ts";
import { wantsOf } from "./root-wants.ts";
import type { ClaimedPath } from "./rungs.ts";
import type { Tables } from "./tables.ts";

/** What facron does itself is followed too: nothing of it is told, so it does not feed on itself. */
const nobody = -1;

const openForGates: OpenBackend = {
  ...openReal,
  fanotify: (options) => new FanotifyBackend(nobody, options),
};

export interface GateWatchOptions {
  readonly log: Log;
  readonly tables: () => Tables;
  /** What claims a path now, one char for one byte. */
  readonly claimsAt: (key: string) => readonly Claim[];
  readonly onWatched: (root: Root) => void;
  /** It went while it was looked at: what is at the path by now has to be found. */
  readonly onVanished: (path: Uint8Array) => void;
}

export class GateWatch {
  readonly refusals: Refusals;
  readonly #options: GateWatchOptions;
  readonly #permissions: PermissionMarks;
  readonly #wide: WideMarks;
  readonly #roots = new GateRoots();
  readonly #ladder: Ladder;
  #rules: RuleSet | null = null;
  #everyPathMustWork = false;
  #saidPreAccess = false;

  constructor(options: GateWatchOptions) {
    this.#options = options;
    this.#permissions = new PermissionMarks((path, error) => this.#sayPreAccess(path, error));
    this.#wide = new WideMarks(this.#permissions);
    this.#ladder = new Ladder(
      openForGates,
      (first, spares) => new GatedBackend(first, spares, this.#permissions),
    );
    this.refusals = new Refusals(this.#ladder, options.log);
  }

  /** Null for a backend that serves rules. */
  jointOf(backend: Backend): JointBackend | null {
    return this.#ladder.jointOf(backend);
  }

  /** Kernel marks for gates, and the paths that they are for. */
  get report(): { readonly paths: number; readonly marks: number } {
    const marks = this.#permissions.count + this.#wide.count;
    return { paths: this.#roots.keys.length, marks };
  }

  beginPlan(rules: RuleSet, { gates, everyPathMustWork }: Plan): void {
    const group = gates?.groupFd ?? -1;
    if (group !== this.#permissions.group) this.#wide.clear();
    this.#permissions.use(group);
    this.#roots.beginPlan(gates ?? null);
    this.refusals.beginPlan();
    this.#rules = rules;
    this.#everyPathMustWork = everyPathMustWork;
    this.#saidPreAccess = false;
  }

  /** The group will be closed, and its number may then be anything. */
  leave(): void {
    this.#wide.clear();
    this.#permissions.use(-1);
  }

  /** Have a path held for the gates that claim it. */
  watch(at: ClaimedPath): void {
    let last: SyscallError | null = null;
    for (const name of ["fanotify", "inotify"] as const) {
      const backend = this.#ladder.backend(name);
      last = backend instanceof SyscallError ? backend : this.#watchWith(backend, at);
      if (last === null) return;
    }
    this.refusals.fail(cannotWatch(at.path, last!, "inotify"));
  }

  /** @returns the error if another backend may tell of what changes there */
  #watchWith(backend: Backend, at: ClaimedPath): SyscallError | null {
    try {
      this.#setRoot(backend, at);
      return null;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (!isOfGate(error) && (isUnsupportedFilesystem(error) || isLimit(error))) return error;
      const mayVanish = isGone(error) && (at.isNew || !this.#everyPathMustWork);
      if (mayVanish) this.#options.onVanished(at.path);
      else this.refusals.fail(cannotWatch(at.path, error, backend.name));
      return null;
    }
  }

  /** @throws {SyscallError} about the path */
  #setRoot(backend: Backend, { path, list, isNew }: ClaimedPath): void {
    const { tables, onWatched } = this.#options;
    const { roots } = tables().of(backend);
    const known = roots.get(latin1(path));
    if (known !== undefined && known.node !== null) this.#lookAt(known); // its claims may be others
    onWatched(roots.set(path, { ...wantsOf(this.#rules!, list), isNew }));
  }

  #lookAt(root: Root): void {
    using held = OpenPath.follow(cString(root.path));
    this.found(root, held.path, fileStatus(held.path));
  }

  /** What is at the path of a root is about to be watched: the gate thread hears of it first. */
  readonly found: RootFound = (root, held, status) => {
    const key = latin1(root.path);
    const claims = this.#options.claimsAt(key);
    this.#roots.say(key, { held, status, claims });
    this.#wide.set(key, held, widesOf(claims));
  };

  /** Roots may have gone, or, by another name of a directory above, be elsewhere. */
  endFollow(): void {
    const tables = this.#options.tables().list.filter(({ backend }) => this.jointOf(backend));
    for (const key of this.#roots.keys) {
      const root = tables.map(({ roots }) => roots.get(key)).find((one) => one?.node);
      if (root === undefined) {
        this.#roots.gone(key);
        this.#wide.remove(key);
      } else this.#lookForMove(key, root);
    }
  }

  #lookForMove(key: string, root: Root): void {
    try {
      using held = OpenPath.follow(cString(root.path));
      const status = fileStatus(held.path);
      // Another file's coming is seen to where its record is read.
      if (status.inode !== this.#roots.inodeOf(key)) return;
      this.#roots.say(key, { held: held.path, status, claims: this.#options.claimsAt(key) });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    }
  }

  #sayPreAccess(path: Uint8Array, error: SyscallError): void {
    if (this.#saidPreAccess) return;
    this.#saidPreAccess = true;
    // FAN_CLASS_CONTENT does not have it (fanotify_mark(2), EINVAL).
    const isOfGroup = error.errno === Errno.EINVAL;
    const cause = isOfGroup ? "gates began without it; restart facron" : causeOf(error, "fanotify");
    this.#options.log.warn(`Cannot hold ${quoted(nameOf(path))} for pre_access: ${cause}`);
  }
}

/** What happens in the trees of gates nobody hears of. */
export function gateObserver(
  { found }: GateWatch,
  judge: Pick<TableObserver, "rootGone" | "isWanted">,
): Pick<WatchTableOptions, "ownOutputs" | "observer"> {
  const observer: TableObserver = {
    ...judge,
    rootFound: found,
    newDirectory() {},
    compared() {},
    placeDropped() {},
    rootReplaced() {},
    versionPassed() {},
  };
  return { ownOutputs: new OwnOutputs([]), observer };
}

function nameOf(path: Uint8Array): Uint8Array {
  try {
    return readLink(path);
  } catch (error) {
    if (error instanceof SyscallError) return path.subarray(0, -1);
    throw error;
  }
}

/** One for each scope, with what all gates want of it. */
function widesOf(claims: readonly Claim[]): Wide[] {
  return (["mount", "filesystem"] as const).flatMap((scope) => {
    const gates = claims.flatMap(({ planned }) => planned.gate ?? []);
    const mask = gates.reduce((all, gate) => (gate.scope === scope ? all | gate.mask : all), 0);
    return mask === 0 ? [] : [{ scope, mask }];
  });
}
