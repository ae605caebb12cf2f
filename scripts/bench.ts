/** `bun run bench`: facron, its peers and the C floor side by side, in one run, on tmpfs. */
import { cpus, release } from "node:os";
import { action } from "./bench/action.ts";
import { actor } from "./bench/actor.ts";
import { burst } from "./bench/burst.ts";
import { claimsOf, renderClaims } from "./bench/claims.ts";
import { cleanUp, cleanUpOnSignals } from "./bench/cleanup.ts";
import { count } from "./bench/count.ts";
import { drain } from "./bench/drain.ts";
import { durable } from "./bench/durable.ts";
import { gate } from "./bench/gate.ts";
import { latency } from "./bench/latency.ts";
import { type Options, parseOptions, usage, UsageError } from "./bench/options.ts";
import type { Bench, Section } from "./bench/section.ts";
import { proofs, stress } from "./bench/proofs.ts";
import { beTheOnlyOne } from "./bench/only-one.ts";
import { idle, start } from "./bench/start.ts";
import { rules } from "./bench/rules.ts";
import { restoreQueueLimitsAtEnd } from "./bench/sysctl.ts";
import type { Table } from "./bench/table.ts";
import { scope } from "./bench/scope.ts";
import { tree } from "./bench/tree.ts";
import { tell } from "./bench/tell.ts";
import { makeWorkspace } from "./bench/workspace.ts";

const usual: readonly Section[] = [
  drain,
  latency,
  action,
  burst,
  count,
  start,
  tree,
  scope,
  rules,
  actor,
  idle,
];

/** What takes long: for those who ask. */
const sections: readonly Section[] = [...usual, durable, gate, proofs, stress];

const names = namesOf(sections);

process.exitCode = await main(process.argv.slice(2));

/** @returns 0 unless the harness itself failed: a missed target is a number, not a failure */
async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) return print(usage(names));
  cleanUpOnSignals();
  try {
    return await bench(parseOptions(argv, { known: names, usual: namesOf(usual) }));
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? 2 : 1;
  } finally {
    cleanUp();
  }
}

async function bench(options: Options): Promise<number> {
  beTheOnlyOne();
  restoreQueueLimitsAtEnd();
  const setting = { ...options, workspace: makeWorkspace() };
  print(`${machine()}\n`);
  const tables = await runSections(setting, options.sections);
  const claims = claimsOf(tables);
  if (claims.length > 0)
    print(`What it must show (measured beside its target)\n${renderClaims(claims)}`);
  if (options.json) print(`${JSON.stringify({ machine: machine(), tables, claims })}\n`);
  return 0;
}

async function runSections(setting: Bench, wanted: readonly string[]): Promise<Table[]> {
  const tables: Table[] = [];
  for (const section of sections.filter(({ name }) => wanted.includes(name))) {
    for (const table of await section.run(setting)) {
      print(`${table.render()}\n`);
      tables.push(table);
    }
  }
  return tables;
}

function namesOf(some: readonly Section[]): string[] {
  return some.map(({ name }) => name);
}

function machine(): string {
  return `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model.trim()}, Bun ${Bun.version}`;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}
