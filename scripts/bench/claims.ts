/** The claims of the issue ("What it must show"), each with what was measured beside its target. */
import { burstFiles } from "./burst.ts";
import { countFiles } from "./count.ts";
import { manyRules } from "./rules.ts";
import { grouped, ratioText, type Table } from "./table.ts";

export interface Claim {
  readonly claim: string;
  readonly target: string;
  readonly measured: string;
}

/** Those claims whose tables were measured in this run. */
export function claimsOf(tables: readonly Table[]): Claim[] {
  return tables.flatMap((table) => claimsById[table.id]?.(table) ?? []);
}

/** Aligned text. */
export function renderClaims(claims: readonly Claim[]): string {
  const claimWidth = Math.max(...claims.map(({ claim }) => claim.length));
  const targetWidth = Math.max(...claims.map(({ target }) => target.length));
  return claims
    .map(({ claim, target, measured }) =>
      ["  ", claim.padEnd(claimWidth), target.padEnd(targetWidth), `${measured}\n`].join("  "),
    )
    .join("");
}

type ClaimsOf = (table: Table) => Claim[];

const claimsById: Readonly<Record<string, ClaimsOf>> = {
  "drain-inotify": (table) => [
    ratio(table, { row: "facron inotify", to: "inotifywait", target: ">= 8 (aim 12)" }),
    ratio(table, { row: "facron inotify", to: "C floor inotify", target: ">= 0.5" }),
    nothing(table, { row: "facron inotify", key: "lost", what: "lines lost" }),
  ],
  "drain-fanotify": (table) => [
    ratio(table, { row: "facron fanotify", to: "fatrace", target: ">= 8 (aim 15)" }),
    nothing(table, { row: "facron fanotify", key: "lost", what: "lines lost" }),
  ],
  "drain-actor": (table) => [
    ratio(table, {
      row: "facron fanotify, --actor",
      to: "facron fanotify",
      target: "told (1 is free)",
    }),
    nothing(table, { row: "facron fanotify, --actor", key: "lost", what: "lines lost" }),
  ],
  latency: (table) =>
    bothBackends((row) => [ratio(table, { row, to: "inotifywait", target: "<= 1.3 (aim 1)" })]),
  action: (table) =>
    bothBackends((row) => [ratio(table, { row, to: "C floor", target: "<= 1.2" })]),
  burst: (table) =>
    bothBackends((backend) =>
      [backend, `${backend}, stdout unread`].flatMap((row) => [
        ratio(table, { row, to: "C floor", target: ">= 0.9" }),
        ratio(table, { row, to: "incron", target: ">= 8" }),
        nothing(table, { row, key: "lost", what: `of ${burstFiles} not run` }),
      ]),
    ),
  "durable-kill": (table) => [
    nothing(table, { row: "facron", key: "missing", what: "triggers not run" }),
    nothing(table, { row: "facron", key: "damaged", what: "journals damaged" }),
    value(table, { row: "facron", key: "repeats", target: "told" }),
  ],
  gate: gateClaims,
  count: (table) => table.rows.flatMap(({ name }) => countClaims(table, name)),
  start: (table) => bothBackends((row) => [value(table, { row, key: "ms", target: "< 40 ms" })]),
  "tree-tmpfs": treeClaims,
  "tree-disk": treeClaims,
  rules: (table) =>
    [`facron inotify, ${manyRules} rules`, `facron fanotify, ${manyRules} rules`].flatMap((row) => [
      {
        ...value(table, { row, key: "checkMs", target: "< 1,000 ms" }),
        claim: `rules: ${row}, check`,
      },
      {
        ...value(table, { row, key: "readyMs", target: "< 2,000 ms" }),
        claim: `rules: ${row}, ready`,
      },
      {
        ...value(table, { row, key: "reloadMs", target: "< 1,000 ms" }),
        claim: `rules: ${row}, reload`,
      },
    ]),
  matching: (table) =>
    bothBackends((row) => [
      ratio(table, { row: `${row}, ${manyRules} rules`, to: `${row}, 10 rules`, target: "~ 1" }),
    ]),
  idle: (table) =>
    bothBackends((row) => [
      value(table, { row, key: "cpuMs", target: "<= 10 ms of CPU in 60 s" }),
      value(table, { row, key: "residentMiB", target: "< 60 MiB resident" }),
    ]),
};

function treeClaims(table: Table): Claim[] {
  const target = "<= 1.2 (aim 0.7)";
  const row = "facron inotify";
  return [
    ratio(table, { row, to: "inotifywait -r", target }),
    value(table, { row, key: "overIdleMiB", target: "<= 40 MiB over idle" }),
  ];
}

function gateClaims(table: Table): Claim[] {
  const row = "facron deny, gate_log none";
  const gated = table.rows.filter(({ role }) => role === "facron").map(({ name }) => name);
  return [
    ratio(table, { row, to: "C floor, only ALLOW", target: ">= 0.5" }),
    ratio(table, { row, to: "fapolicyd --debug-deny", target: "told" }),
    ...gated.flatMap((name) => [
      nothing(table, { row: name, key: "wrong", what: "wrong verdicts" }),
      {
        claim: `gate: ${name}, p99.9`,
        target: "< 50 ms",
        measured: `${grouped(table.median(name, "p999") / 1000, 2)} ms`,
      },
    ]),
    ...gated
      .filter((name) => table.values(name, "untold").length > 0)
      .map((name) => nothing(table, { row: name, key: "untold", what: "lines missing" })),
  ];
}

function bothBackends(claims: (row: string) => Claim[]): Claim[] {
  return ["facron inotify", "facron fanotify"].flatMap(claims);
}

/** The first column of `row` against that of `to`. */
function ratio(
  table: Table,
  { row, to, target }: { row: string; to: string; target: string },
): Claim {
  const key = table.ratioKey;
  const measured = ratioText(table.median(row, key) / table.median(to, key));
  return { claim: `${table.id}: ${row} / ${to}`, target, measured };
}

function nothing(
  table: Table,
  { row, key, what }: { row: string; key: string; what: string },
): Claim {
  const values = table.values(row, key);
  const sum = values.reduce((total, one) => total + one, 0);
  const measured = values.length === 0 ? "-" : grouped(sum, 0);
  return { claim: `${table.id}: ${row}, ${what}`, target: "0", measured };
}

function value(
  table: Table,
  { row, key, target }: { row: string; key: string; target: string },
): Claim {
  return { claim: `${table.id}: ${row}`, target, measured: grouped(table.median(row, key), 1) };
}

function countClaims(table: Table, row: string): Claim[] {
  const claim = `count: ${row}`;
  const of = (key: string): string => grouped(table.median(row, key), 0);
  const grown = (to: string): string =>
    grouped(table.median(row, to) - table.median(row, "firstMiB"), 1);
  const files = grouped(countFiles, 0);
  const claims = [
    {
      claim: `${claim}, close_write lines / other lines / seq gaps`,
      target: `${files} / 0 / 0`,
      measured: `${of("closeWrites")} / ${of("others")} / ${of("seqGaps")}`,
    },
    {
      claim: `${claim}, memory grown`,
      target: "<= 30 MiB",
      measured: `${grown("endMiB")} (at its peak ${grown("peakMiB")})`,
    },
  ];
  if (!row.startsWith("a command")) return claims;
  return [...claims, { claim: `${claim}, commands`, target: files, measured: of("ran") }];
}
