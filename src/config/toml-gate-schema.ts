/** The keys of a `[[gate]]`. */
import { z } from "zod";
import { denyErrnos } from "../rule/gate.ts";
import { surroundingKeys } from "./toml-action-schema.ts";
import { actor, filterKeys, placeKeys, text, textOrList } from "./toml-place-schema.ts";

const verdict = z.enum(["allow", "deny"]);
const { ignore_files: _, ...gateFilterKeys } = filterKeys;

/** What is nothing without `ask`. */
const askKeys = {
  timeout: text
    .optional()
    .describe("From the question to the verdict: what takes longer gets on_timeout. Default: 2s"),
  on_timeout: verdict.optional().describe("Default: allow"),
  on_error: verdict
    .optional()
    .describe("When the command cannot be started, is killed, or too many wait. Default: allow"),
  cache: text
    .optional()
    .describe(
      "How long an answer holds for the same file, unchanged, and the same program. Default: 10m",
    ),
  max_running: z
    .int()
    .min(1)
    .max(999_999)
    .optional()
    .describe("Commands of the gate at once. Default: 8"),
  ...surroundingKeys,
};

export const gateSchema = z
  .strictObject({
    ...placeKeys,
    scope: z
      .enum(["tree", "mount", "filesystem"])
      .optional()
      .describe(
        "With recursive: tree holds what is in each directory; mount or filesystem has the kernel ask about all that is reached by way of that mount, or is on that filesystem, at some cost for all of it. Default: tree",
      ),
    on: textOrList.describe(
      'Any of open_perm, access_perm, open_exec_perm and pre_access, e.g. ["open_perm", "open_exec_perm"]',
    ),
    ...gateFilterKeys,
    type: z
      .union([z.enum(["file", "dir"]), z.array(z.enum(["file", "dir"])).min(1)])
      .optional()
      .describe('Only these kinds of files. Default: all but directories; "dir" is for them'),
    actor: actor.optional(),
    verdict: verdict.optional().describe("What is decided: this, or ask"),
    ask: z
      .array(z.string())
      .min(1)
      .optional()
      .describe(
        "Program and arguments, without a shell: exit status 0 allows, any other denies; {path} {name} {pid} {exe} ... are replaced, {{ is a brace",
      ),
    ...askKeys,
    audit: z
      .boolean()
      .optional()
      .describe("The kernel's audit log gets each verdict. Default: false"),
    errno: z
      .enum(Object.keys(denyErrnos) as [keyof typeof denyErrnos])
      .optional()
      .describe("What a process gets that is denied: Linux 6.14. Default: EPERM"),
  })
  .describe("What is decided before a file is opened, read or executed");

export type TomlGate = z.infer<typeof gateSchema>;

export const gateKeys = Object.keys(gateSchema.shape);
export const askKeyNames = Object.keys(askKeys) as (keyof typeof askKeys)[];
