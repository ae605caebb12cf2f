/** Puts the reader's parts together: here it is seen who tells whom. */
import { Families } from "../family/families.ts";
import type { Log } from "../log.ts";
import type { Backend } from "../watch/backend.ts";
import { CatchUp } from "../watch/catch-up.ts";
import { RealDisk } from "../watch/disk.ts";
import { Ladder } from "../watch/ladder.ts";
import { OwnOutputs } from "../watch/own-outputs.ts";
import { Actors } from "./actors.ts";
import { Backpressure } from "./backpressure.ts";
import { Dispatch } from "./dispatch.ts";
import { findingsTo } from "./findings.ts";
import { Lookout } from "./lookout.ts";
import { MountWatch } from "./mount-watch.ts";
import { Outbox, stdoutFd } from "./outbox.ts";
import { type ReaderStart, sharedCounters } from "./plan.ts";
import { PlanSwap } from "./plan-swap.ts";
import { PollRounds } from "./poll-rounds.ts";
import { logOver, type ReaderPort } from "./port.ts";
import { Queues } from "./queues.ts";
import { ReadUntil } from "./read-until.ts";
import { Recoveries } from "./recoveries.ts";
import { UnknownActors } from "./unknown-actors.ts";
import { Watcher } from "./watcher.ts";

const stderrFd = 2;

/** Those that the loop drives. */
export interface Parts {
  readonly log: Log;
  /** As `sharedCounters` has them. */
  readonly counters: Int32Array;
  readonly outbox: Outbox;
  readonly backpressure: Backpressure;
  readonly unknownActors: UnknownActors;
  readonly families: Families;
  readonly catchUp: CatchUp;
  readonly recoveries: Recoveries;
  readonly lookout: Lookout;
  readonly mounts: MountWatch;
  readonly watcher: Watcher;
  readonly queues: Queues;
  readonly swap: PlanSwap;
  readonly rounds: PollRounds;
  readonly readUntil: ReadUntil;
}

export interface WiringHooks {
  /** A root has gone, or another may be at its path. */
  readonly onRootGone: () => void;
}

export function wire(start: ReaderStart, port: ReaderPort, { onRootGone }: WiringHooks): Parts {
  const log = logOver(port);
  const counters = new Int32Array(start.shared);
  const disk = new RealDisk({ warn: (text) => log.warn(text) });
  const outbox = new Outbox({ port, log, counters });
  const { stdout } = outbox;
  const backpressure = new Backpressure({ ...start, stdout, counters, log });
  const lookout = new Lookout(start.shared);
  const unknownActors = new UnknownActors(log);
  const actors = new Actors(unknownActors);
  const families = new Families({
    ...{ counters, cells: sharedCounters, log, ownPid: process.pid },
    guardPid: () => Atomics.load(counters, sharedCounters.guardPid),
    allIsRead: () => tables.list.every(({ backend }) => isAllRead(backend)),
  });
  const mounts = new MountWatch();
  const dispatch: Dispatch = new Dispatch(outbox.lines, outbox.triggers, {
    linesAreMany: () => outbox.writeLines(),
    overflow: (table) => recoveries.lost(table),
    entrySeen: (...seen) => catchUp.entrySeen(...seen),
    ignoreFileChanged: (root, table) => queues.ignoreFileChanged(root, table),
    disk,
    actors,
    families,
  });
  const catchUp = new CatchUp((...event) => dispatch.synthetic(...event));
  const recoveries = new Recoveries({ catchUp, log });
  const watcher = new Watcher(new Ladder(), {
    log,
    ownOutputs: new OwnOutputs([stdoutFd, stderrFd]),
    observer: findingsTo({ dispatch, catchUp, recoveries, onRootGone }),
    sink: dispatch,
    asking: (path) => lookout.at(path),
    actors,
  });
  const { tables } = watcher;
  const { table } = watcher.polling;
  const telling = { dispatch, recoveries, outbox };
  const queues = new Queues({ ...telling, tables, catchUp });
  const swap = new PlanSwap({ ...telling, watcher, queues, disk, lookout, log });
  const rounds = new PollRounds({ table, backpressure, dispatch, outbox, lookout, log });
  const driven = { log, counters, outbox, backpressure, unknownActors, catchUp, recoveries };
  const readUntil = new ReadUntil({ port, tables, catchUp, recoveries });
  return { ...driven, families, lookout, mounts, watcher, queues, swap, rounds, readUntil };
}

function isAllRead({ queuedBytes, hasAhead }: Backend): boolean {
  return queuedBytes === 0 && !hasAhead;
}
