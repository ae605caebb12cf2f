/** Keys about how commands run that make no sense together, or without a command. */
import { defaultPolicy, type Policy } from "../rule/policy.ts";
import { type Command, takesPaths } from "../rule/template.ts";
import type { ActionKey, ActionKeys } from "./toml-action-schema.ts";
import type { TomlTable } from "./toml-table.ts";

/** For a rule that only writes events out. @param keys those that are nothing without a command */
export function refuseWithoutCommand(
  given: ActionKeys,
  keys: readonly ActionKey[],
  table: TomlTable,
): void {
  for (const key of keys)
    if (given[key] !== undefined && !saysNothing(given, key)) table.needs(key, "run or shell");
}

/** What holds anyway may be written, too. */
function saysNothing(given: ActionKeys, key: ActionKey): boolean {
  return given[key] === false || (key === "when_busy" && given[key] === "queue");
}

/** @param policy of the rule, or of `[facron]`, with all that it does not say itself */
export function refuseTogether(
  given: ActionKeys,
  policy: Policy,
  command: Command | null,
  table: TomlTable,
): void {
  refuseForOrder(given, policy, table);
  refuseForSettle(given, policy, table);
  const { whenFull, durable } = policy;
  if (durable && whenFull !== "block" && isSaid(["durable", "when_full"], given))
    table.error(
      [said(["when_full", "durable"], given)],
      `Cannot use when_full = "${whenFull}" with durable = true: what is durable is never dropped; remove one of the two`,
    );
  if (command === null) return;
  if (given.settle_max !== undefined && policy.settleMaxMs > 0 && policy.settleMs === 0)
    table.needs("settle_max", "settle");
  if (given.busy_signal !== undefined && policy.whenBusy !== "signal")
    table.needs("busy_signal", 'when_busy = "signal"');
  warnOfNoTimeout(given, policy, table);
  refuseForBatch(policy, command, table);
}

/** What `[facron]` says of retries may be for rules that have a timeout. */
function warnOfNoTimeout({ retry }: ActionKeys, { timeoutMs }: Policy, table: TomlTable): void {
  if (retry?.on === undefined || timeoutMs > 0 || table.context.isPart === true) return;
  const at = [retry.on].flat().indexOf("timeout");
  if (at < 0) return;
  const keys = Array.isArray(retry.on) ? ["retry", "on", at] : ["retry", "on"];
  table.context.findings.warning(
    table.span(...keys) ?? table.head,
    'Retry after "timeout" never happens: the rule has no timeout; add one, or remove "timeout"',
  );
}

function refuseForOrder(given: ActionKeys, policy: Policy, table: TomlTable): void {
  if (policy.order !== "none") return;
  const { whenBusy } = policy;
  const cure = 'write order = "path" or "rule", or remove it';
  if (whenBusy !== defaultPolicy.whenBusy && isSaid(["order", "when_busy"], given))
    table.error(
      [said(["when_busy", "order"], given)],
      `Cannot use when_busy = "${whenBusy}" with order = "none": what is busy is a path or the rule; ${cure}`,
    );
  if (policy.throttleMs > 0 && isSaid(["order", "throttle"], given))
    table.error(
      [said(["throttle", "order"], given)],
      `Cannot use throttle with order = "none": it counts for a path or for the rule; ${cure}`,
    );
}

function refuseForSettle(
  given: ActionKeys,
  { settleMs, settleMaxMs }: Policy,
  table: TomlTable,
): void {
  if (settleMaxMs === 0 || settleMaxMs >= settleMs || !isSaid(["settle", "settle_max"], given))
    return;
  table.error(
    [said(["settle_max", "settle"], given)],
    "Cannot use settle_max below settle: no path would have the time to rest; exchange them",
  );
}

function refuseForBatch(policy: Policy, command: Command, table: TomlTable): void {
  const { batch, whenBusy, stdin } = policy;
  const takesAll = takesPaths(command);
  if (batch !== null && !takesAll && stdin === "none")
    table.lacks(
      ["batch"],
      'Cannot use batch without "{paths}" in run, or stdin: the command would hear of one path only; add one of them, or remove batch',
    );
  if (takesAll && batch === null && whenBusy !== "merge")
    table.lacks(
      ["run"],
      'Cannot use "{paths}" in run without batch: a run is for one path; write "{path}", or add batch = { max = 1000, wait = "1s" } or when_busy = "merge"',
    );
}

/** What only defaults say is refused where they are. */
function isSaid(keys: readonly ActionKey[], given: ActionKeys): boolean {
  return keys.some((key) => given[key] !== undefined);
}

/** The first that the table has. */
function said(keys: readonly ActionKey[], given: ActionKeys): ActionKey {
  return keys.find((key) => given[key] !== undefined) ?? keys[0]!;
}
