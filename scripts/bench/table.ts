/** A table of measurements: a row per contender, values of every run, ratios to a peer and the floor. */
import type { Backend, Role } from "./contender.ts";
import { median } from "./stats.ts";

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  /** The median alone, with its range, or the sum of all runs (for what must be nothing). */
  readonly show: "spread" | "median" | "sum";
}

export interface RowName {
  readonly name: string;
  readonly role: Role;
  readonly backend: Backend;
}

export interface Row extends RowName {
  readonly values: Map<string, number[]>;
  /** Why there are no values. */
  note?: string;
}

export interface TableOptions {
  readonly title: string;
  /** The first one is what the ratios are of. */
  readonly columns: readonly [Column, ...Column[]];
  /** The best-fit peer; without one the table has no ratios. */
  readonly peer?: string;
}

export class Table {
  readonly id: string;
  readonly title: string;
  readonly rows: Row[] = [];
  readonly #columns: readonly [Column, ...Column[]];
  readonly #peer: string | undefined;

  constructor(id: string, options: TableOptions) {
    this.id = id;
    this.title = options.title;
    this.#columns = options.columns;
    this.#peer = options.peer;
  }

  /** Add one run's values, by column key. */
  add(name: RowName, values: Readonly<Record<string, number>>): void {
    const row = this.#row(name);
    for (const [key, value] of Object.entries(values)) {
      row.values.set(key, [...(row.values.get(key) ?? []), value]);
    }
  }

  /** Say why there is nothing to add. */
  note(name: RowName, text: string): void {
    this.#row(name).note = text;
  }

  /** The column that ratios are of. */
  get ratioKey(): string {
    return this.#columns[0].key;
  }

  /** Every run's value; none for a row or a column that is not there. */
  values(row: string, key: string): readonly number[] {
    return this.rows.find(({ name }) => name === row)?.values.get(key) ?? [];
  }

  /** NaN where nothing was measured. */
  median(row: string, key: string): number {
    return median(this.values(row, key));
  }

  render(): string {
    const head = ["", ...this.#columns.flatMap((column, at) => this.#titles(column, at === 0))];
    const lines = [head, ...this.rows.map((row) => this.#cells(row))];
    return `${this.title}\n${aligned(lines)}`;
  }

  /** Plain data, for --json. */
  toJSON(): unknown {
    const rows = this.rows.map(({ values, ...row }) => ({ ...row, ...Object.fromEntries(values) }));
    return { id: this.id, title: this.title, rows };
  }

  #row(name: RowName): Row {
    const found = this.rows.find((row) => row.name === name.name);
    if (found !== undefined) return found;
    const row = { name: name.name, role: name.role, backend: name.backend, values: new Map() };
    this.rows.push(row);
    return row;
  }

  /** The first column's title is followed by those of its ratios. */
  #titles(column: Column, isFirst: boolean): string[] {
    if (!isFirst || this.#peer === undefined) return [column.title];
    return [column.title, `x ${this.#peer}`, ...(this.#hasFloor ? ["x floor"] : [])];
  }

  #cells(row: Row): string[] {
    const cells = this.#columns.flatMap((column, at) => {
      const text = cellText(column, row.values.get(column.key) ?? []);
      return at > 0 ? [text] : [text, ...this.#ratios(row)];
    });
    return [row.name, ...cells, ...(row.note === undefined ? [] : [`(${row.note})`])];
  }

  #ratios(row: Row): string[] {
    if (this.#peer === undefined) return [];
    const own = this.median(row.name, this.ratioKey);
    const to = (name: string) => ratioText(own / this.median(name, this.ratioKey));
    return [to(this.#peer), ...(this.#hasFloor ? [to(this.#floorOf(row))] : [])];
  }

  get #hasFloor(): boolean {
    return this.rows.some(({ role }) => role === "floor");
  }

  /** The floor of the row's own backend, or the only one there is. */
  #floorOf(row: Row): string {
    const floors = this.rows.filter(({ role }) => role === "floor");
    return (floors.find(({ backend }) => backend === row.backend) ?? floors[0])?.name ?? "";
  }
}

function cellText({ show, digits }: Column, values: readonly number[]): string {
  if (values.length === 0) return "-";
  if (show === "sum")
    return grouped(
      values.reduce((sum, value) => sum + value, 0),
      digits,
    );
  const middle = grouped(median(values), digits);
  if (show === "median" || values.length === 1) return middle;
  return `${middle} (${grouped(Math.min(...values), digits)}..${grouped(Math.max(...values), digits)})`;
}

/** A number with thousands separated; a dash for NaN. */
export function grouped(value: number, digits: number): string {
  if (Number.isNaN(value)) return "-";
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString("en-US", options);
}

export function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(ratio < 0.1 ? 3 : 2) : "-";
}

/** The first column to the left, the others to the right; notes, past the last, as they are. */
function aligned(lines: readonly (readonly string[])[]): string {
  const head = lines[0] ?? [];
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const pad = (cell: string, at: number): string =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  return lines.map((line) => `  ${line.map(pad).join("  ")}\n`).join("");
}
