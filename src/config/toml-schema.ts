/** The keys of the TOML, once: what a file is checked by, and what editors complete it with. */
import { z } from "zod";
import {
  type ActionKey,
  actionKeys,
  batchKeys,
  defaultKeys,
  retryKeys,
} from "./toml-action-schema.ts";

const text = z.string().min(1);
const textOrList = z.union([text, z.array(text).min(1)]);

const fileType = z.enum(["file", "dir", "symlink"]);
const size = z.union([z.int().min(0), text]);

/** Which files a rule is for; see `Filter`. */
const filterKeys = {
  include: textOrList
    .optional()
    .describe(
      'Only these: names, e.g. "*.csv", or with a slash paths below the watch, e.g. "in/**/*.csv"; "in/" is a directory and what is in it',
    ),
  exclude: textOrList
    .optional()
    .describe("Not these, nor what is in a directory that is called so: patterns as for include"),
  type: z
    .union([fileType, z.array(fileType).min(1)])
    .optional()
    .describe("Only these kinds of files"),
  min_size: size
    .optional()
    .describe('Only files of at least this size: "64MiB", "1kB", or a number of bytes'),
  max_size: size.optional().describe("Only files of at most this size"),
  ignore_files: textOrList
    .optional()
    .describe(
      'Not what these files list, as git reads them: a name is looked for in each directory, e.g. ".gitignore"; a path is one file for the whole rule',
    ),
};

const uid = z.int().min(0).max(0xffff_fffe);

/** Which processes: one of each list that is given. */
const actorTraits = {
  exe: textOrList
    .optional()
    .describe("Patterns of the program's path, or of its name if they have no slash"),
  comm: textOrList
    .optional()
    .describe("Patterns of the process's name, of which the kernel keeps 15 bytes"),
  uid: z
    .union([text, uid, z.array(z.union([text, uid])).min(1)])
    .optional()
    .describe("Users by name or uid: the effective one"),
};

const actor = z
  .strictObject({
    ...actorTraits,
    not: z.strictObject(actorTraits).optional().describe("Not for these: each is a reason"),
  })
  .describe("Only for what these processes do");

export const ruleSchema = z
  .strictObject({
    name: text
      .optional()
      .describe("Stands in JSON lines and in the log; unique. Without it: FILE:LINE"),
    watch: textOrList.describe(
      "Paths of files and directories. * ? [a-z] {a,b} match what is there and what comes later; a backslash takes that meaning away",
    ),
    recursive: z
      .boolean()
      .optional()
      .describe("The directories below too, also those that come later. Default: false"),
    dot_directories: z
      .boolean()
      .optional()
      .describe(
        "Whether recursion goes into directories whose name starts with a dot. Default: true",
      ),
    follow_symlink: z
      .boolean()
      .optional()
      .describe("Whether a path that is a symbolic link is watched where it leads. Default: true"),
    only_directory: z
      .boolean()
      .optional()
      .describe("Not if the path is no directory. Default: false"),
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
    ...defaultKeys,
  })
  .describe("What is for all rules, and what holds of those that do not say it themselves");

export const tomlSchema = z.strictObject({
  facron: settingsSchema.optional(),
  rule: z.array(ruleSchema).optional(),
});

export type TomlFile = z.infer<typeof tomlSchema>;
export type TomlRule = z.infer<typeof ruleSchema>;
export type TomlSettings = z.infer<typeof settingsSchema>;

export const actionKeyNames = Object.keys(actionKeys) as ActionKey[];
export const ruleKeys = Object.keys(ruleSchema.shape);
export const settingsKeys = Object.keys(settingsSchema.shape);

/** Of the tables inside a rule. */
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
