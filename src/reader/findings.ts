/** What the tables find without a record: to the catch-up, which tells it once the records before it are read. */
import type { Interests } from "../rule/matcher.ts";
import type { CatchUp } from "../watch/catch-up.ts";
import type { Node } from "../watch/tree.ts";
import type { Listing } from "../watch/walk.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Recoveries } from "./recoveries.ts";
import type { WatcherObserver } from "./watcher.ts";

export interface FindingOptions {
  readonly dispatch: Dispatch;
  readonly catchUp: CatchUp;
  readonly recoveries: Recoveries;
  /** A root has gone, or another may be at its path. */
  readonly onRootGone: () => void;
}

export function findingsTo({
  dispatch,
  catchUp,
  recoveries,
  onRootGone,
}: FindingOptions): WatcherObserver {
  const lookInto = (
    node: Node,
    table: WatchTable,
    what: { listing: Listing | null; interests?: Interests },
  ): void => {
    if (dispatch.isMuted) return;
    catchUp.look(node, table, what);
    dispatch.watchedEntries = catchUp.openLooks;
  };
  return {
    newDirectory: (node, table, listing) => lookInto(node, table, { listing }),
    interestsAdded: (node, table, interests) => lookInto(node, table, { listing: null, interests }),
    rootReplaced: ({ node }, table, isBeingWritten) => {
      if (node === null || dispatch.isMuted) return;
      catchUp.lookAtFile(node, table, { isBeingWritten });
      dispatch.watchedEntries = catchUp.openLooks;
    },
    versionPassed: (file) => {
      if (!dispatch.isMuted) catchUp.tellPassed(file);
    },
    compared: (node, table, listing) => recoveries.look(node, table, listing),
    placeDropped: (node) => catchUp.forget(node),
    rootGone: onRootGone,
  };
}
