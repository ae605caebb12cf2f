/** Every symbol's FFI types fit the C prototype above it, and that prototype is the headers' own. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cPrelude, runC } from "../../scripts/c-program.ts";
import { laterLibc, libc } from "../../ffi/libc.ts";
import { requires } from "../helpers/requires.ts";

interface Symbol {
  readonly name: string;
  /** "int poll(struct pollfd *fds, nfds_t nfds, int timeout)" */
  readonly prototype: string;
  readonly args: readonly string[];
  readonly returns: string;
}

const symbols = symbolsIn(readFileSync(join(import.meta.dir, "../../ffi/libc.ts"), "utf8"));
const compilerTest = requires({ tools: ["cc"] });

/** Declared with "..." where we always pass the one argument, or with an enum where the man page says int. */
const declaredOtherwise: Readonly<Record<string, readonly [string, string]>> = {
  open: ["mode_t mode", "..."],
  openat: ["mode_t mode", "..."],
  fcntl: ["int arg", "..."],
  ioctl: ["void *arg", "..."],
  prlimit: ["int resource", "__rlimit_resource_t resource"],
  setpriority: ["int which", "__priority_which_t which"],
};

/** What FFI may call a C type, beside "ptr" and "buffer" for everything with a star. */
const ffiTypes: Readonly<Record<string, readonly string[]>> = {
  void: ["void"],
  int: ["i32"],
  short: ["i16"],
  pid_t: ["i32"],
  clockid_t: ["i32"],
  "unsigned int": ["u32"],
  uint32_t: ["u32"],
  uid_t: ["u32"],
  gid_t: ["u32"],
  socklen_t: ["u32"],
  id_t: ["u32"],
  idtype_t: ["i32"], // an enum
  mode_t: ["u32"],
  uint64_t: ["u64"],
  size_t: ["u64"],
  nfds_t: ["u64"],
  "unsigned long": ["u64"],
  off_t: ["i64", "i32"], // as a result only ever 0
  ssize_t: ["i64", "i32"], // counts far below 2 GiB
  long: ["i64", "i32"],
  sighandler_t: ["i64"],
  "int *": ["ptr"],
  "void *": ["ptr", "i64"], // MAP_FAILED is -1
  "struct passwd *": ["ptr"],
  "struct group *": ["ptr"],
  cap_user_header_t: ["buffer"], // a pointer
  "const cap_user_data_t": ["buffer"],
  "char *": ["cstring"],
};

test("a C prototype stands above every symbol", () => {
  const names = [...Object.keys(libc), ...Object.keys(laterLibc ?? {})];
  expect(symbols.map((symbol) => symbol.name).sort()).toEqual(names.sort());
});

compilerTest("the headers agree with the prototypes", () => {
  const declarations = symbols.map(declarationOf).join("\n");
  expect(runC(`${cPrelude()}\n${declarations}\nint main(void) { puts("agree"); }\n`)).toBe(
    "agree\n",
  );
});

describe("FFI types fit the prototype", () => {
  test.each(symbols.map((symbol) => [symbol.name, symbol] as const))("%s", (name, symbol) => {
    const [before, list] = symbol.prototype.split(/\((.*)\)$/);
    const returnType = before!.slice(0, before!.lastIndexOf(name)).trim();
    expect(ffiTypes[returnType]).toContain(symbol.returns);
    const parameters = list === "void" ? [] : list!.split(/, */);
    const isVariadic = parameters.at(-1) === "...";
    if (isVariadic) parameters.pop();
    expect(symbol.args.length >= parameters.length).toBe(true);
    expect(isVariadic || symbol.args.length === parameters.length).toBe(true);
    for (const [at, parameter] of parameters.entries()) {
      expect({ parameter, types: typesFor(parameter) }).toEqual({
        parameter,
        types: expect.arrayContaining([symbol.args[at]!]),
      });
    }
  });
});

function typesFor(parameter: string): readonly string[] {
  if (/[*[]/.test(parameter)) return ["buffer", "ptr"];
  return ffiTypes[parameter.slice(0, parameter.lastIndexOf(" "))] ?? [];
}

function declarationOf({ name, prototype }: Symbol): string {
  const change = declaredOtherwise[name];
  return `${change === undefined ? prototype : prototype.replace(change[0], change[1])};`;
}

/** `// prototype;`, over several lines if it is long, and then `name: { args: [...], returns: "..." }`. */
function symbolsIn(source: string): Symbol[] {
  const pattern =
    /((?:[ ]*\/\/[^\n]*\n)+)\s*(\w+): \{\s*args: \[([^\]]*)\],\s*returns: "(\w+)",?\s*\}/g;
  return [...source.matchAll(pattern)].map(([, comment, name, args, returns]) => {
    const prototype = comment!.replace(/\s*\/\/\s*/g, " ").replace(/\);.*/s, ")");
    const types = [...args!.matchAll(/"(\w+)"/g)].map(([, type]) => type!);
    return { name: name!, prototype: prototype.trim(), args: types, returns: returns! };
  });
}
