/** The keys of the TOML, once: what a file is checked by, and what editors complete it with. */
import { z } from "zod";
import { gateLogs } from "../rule/gate.ts";
import {
  type ActionKey,
  actionKeys,
  batchKeys,
  defaultKeys,
  retryKeys,
} from "./toml-action-schema.ts";
import { gateKeys, gateSchema } from "./toml-gate-schema.ts";
import { actor, filterKeys, placeKeys, text, textOrList } from "./toml-place-schema.ts";

export const ruleSchema = z
  .strictObject({
    ...placeKeys,
    on: textOrList.describe(
      'Any of these events, e.g. ["close_write", "moved_to"]. "modify|close_write" means both. FAN_ and IN_ names pick fanotify and inotify',
    ),
    ...filterKeys,
    backend: z
      .enum(["auto", "fanotify", "inotify", "poll"])
      .optional()
      .describe(
        "The kernel's interface, or poll, which looks from time to time: for what other machines change. Default: auto, which is fanotify as root, else inotify",
      ),
    poll_interval: text
      .optional()
      .describe(
        'With backend = "poll": the time between two looks, like "500ms" or "1m". Default: 2s',
      ),
    scope: z
      .enum(["tree", "filesystem"])
      .optional()
      .describe(
        "With recursive: tree watches each directory; filesystem has the kernel report the whole filesystem of the path, at once however large it is, at some cost for all who write to that filesystem. Needs fanotify. Default: tree",
      ),
    actor: z
      .union([z.boolean(), actor])
      .optional()
      .describe(
        "Tell who did it: comm, exe and uid in the JSON line, FACRON_COMM, FACRON_EXE and FACRON_UID for the command. A table: only for some processes. Needs fanotify. Default: false",
      ),
    run: z
      .array(z.string())
      .min(1)
      .optional()
      .describe(
        "Program and arguments, without a shell; {path} {name} {dir} ... are replaced, {{ is a brace; {paths} as a word of its own is all paths of a batch",
      ),
    shell: text
      .optional()
      .describe(
        'A line for /bin/sh -c; the event is in FACRON_PATH and the like: gzip -- "$FACRON_PATH"',
      ),
    ...actionKeys,
    once: z
      .boolean()
      .optional()
      .describe("Fires once, and then not again until facron is started anew. Default: false"),
  })
  .describe("What to watch, for which events, and what to run");

export const settingsSchema = z
  .strictObject({
    include: z
      .array(text)
      .optional()
      .describe(
        "More files, of any dialect: paths or globs, relative to the directory of this file",
      ),
    max_running: z
      .int()
      .min(1)
      .max(999_999)
      .optional()
      .describe("Commands at once, over all rules. Default: 16"),
    state_dir: text
      .optional()
      .describe("Where durable rules keep their events. Default: /var/lib/facron"),
    runtime_dir: text
      .optional()
      .describe("Where the socket for facron status is. Default: /run/facron"),
    gate_log: z
      .enum(gateLogs)
      .optional()
      .describe("Which decisions of gates are written out. Default: deny"),
    ...defaultKeys,
  })
  .describe("What is for all rules, and what holds of those that do not say it themselves");

export const tomlSchema = z.strictObject({
  facron: settingsSchema.optional(),
  rule: z.array(ruleSchema).optional(),
  gate: z.array(gateSchema).optional(),
});

export type TomlFile = z.infer<typeof tomlSchema>;
export type TomlRule = z.infer<typeof ruleSchema>;
export type TomlSettings = z.infer<typeof settingsSchema>;

export const actionKeyNames = Object.keys(actionKeys) as ActionKey[];
export const ruleKeys = Object.keys(ruleSchema.shape);
export const settingsKeys = Object.keys(settingsSchema.shape);

/** Keys by the table that has them. */
export const keysOfTables = {
  rule: ruleKeys,
  gate: gateKeys,
  facron: settingsKeys,
} as const;

/** Of the tables inside a rule or gate. */
export const keysInTable: Readonly<Record<string, readonly string[]>> = {
  actor: Object.keys(actor.shape),
  batch: batchKeys,
  retry: retryKeys,
};

/** JSON Schema, draft 2020-12. */
export function tomlJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(tomlSchema);
  return { $schema, title: "facron", description: "Rules of facron, a filesystem cron", ...schema };
}
