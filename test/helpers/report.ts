/** Numbers that a test measured: said, and kept for the benchmark, which makes tables of them. */
import { appendFileSync } from "node:fs";

/**
 * Say the numbers, and append them to the file that FACRON_TEST_REPORT names.
 *
 * @param table what was measured; `row` on what
 */
export function report(table: string, row: string, values: Readonly<Record<string, number>>): void {
  const text = Object.entries(values).map(([key, value]) => `${key} ${value}`);
  console.error(`${table}: ${row}: ${text.join(", ")}`);
  const file = process.env["FACRON_TEST_REPORT"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ table, row, values })}\n`);
}
