/** What of a table can be read although something in it has the wrong form: all errors are said at once. */
import type { z } from "zod";

export interface TablePart<Given> {
  readonly given: Given;
  /** Keys were left out, as their values have the wrong form. */
  readonly isPart: boolean;
}

/** Null: what it cannot do without is missing, or has the wrong form. */
export function soundPartOf<Given>(
  schema: z.ZodType<Given>,
  table: unknown,
): TablePart<Given> | null {
  const { data, error } = schema.safeParse(table);
  if (error === undefined) return { given: data, isPart: false };
  if (typeof table !== "object" || table === null) return null;
  const faulty = new Set(
    error.issues.flatMap((issue) =>
      issue.path.length === 0 && issue.code === "unrecognized_keys" ? issue.keys : [issue.path[0]],
    ),
  );
  const sound = Object.entries(table).filter(([key]) => !faulty.has(key));
  const rest = schema.safeParse(Object.fromEntries(sound)).data;
  return rest === undefined ? null : { given: rest, isPart: true };
}
