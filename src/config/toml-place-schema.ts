/** The keys of the TOML that rules and gates share: what is watched, which files, whose doing. */
import { z } from "zod";

export const text = z.string().min(1);
export const textOrList = z.union([text, z.array(text).min(1)]);

export const fileType = z.enum(["file", "dir", "symlink"]);
const size = z.union([z.int().min(0), text]);

/** Which files a rule is for; see `Filter`. */
export const filterKeys = {
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

export const actor = z
  .strictObject({
    ...actorTraits,
    not: z.strictObject(actorTraits).optional().describe("Not for these: each is a reason"),
  })
  .describe("Only for what these processes do");

/** A name, and what is watched. */
export const placeKeys = {
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
};
