/** Commands of incron tables, run by bash with names that would like to be programs. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { parseIncronTable } from "../../src/config/incron-table.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Command } from "../../src/rule/template.ts";
import { Counters, fillCommand } from "../../src/rule/template.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { randomNumbers, seedOf } from "./random.ts";

/** Each would make a file "pwned" if a shell read it as anything but data. */
export const hostileNames = [
  "; touch pwned",
  "$(touch pwned)",
  "`touch pwned`",
  "'; touch pwned; '",
  '"; touch pwned; "',
  "\\'; touch pwned; \\'",
  "a\ntouch pwned\n",
  "a[$(touch pwned)]",
  "x=$(touch pwned)",
  "| touch pwned",
  "&& touch pwned",
  "> pwned",
  "${x:=$(touch pwned)}",
  "$((a[$(touch pwned)]))",
  "-rf",
  "* ?",
  "~",
  "é \u{1f600}",
] as const;

function commandOf(text: string): Command {
  const bytes = utf8(`/d IN_CREATE ${text}\n`);
  return parseIncronTable({ file: "t", bytes, cwd: "/" }).rules[0]!.rule.command!;
}

function refusalOf(text: string): string {
  try {
    commandOf(text);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ message }) => message).join("\n");
    throw error;
  }
  return "";
}

/** Run the command for a file of that name in `directory`. @returns its stdout, one char for one byte */
function run(command: Command, directory: string, name: string): string {
  const filling = {
    path: utf8(`${directory}/${name}`),
    from: new Uint8Array(0),
    events: 0x100,
    pid: 0,
    seq: 1,
    isSelf: false,
    isDirectory: false,
  };
  const words = fillCommand(command, filling, { rule: "t:1", counters: new Counters() });
  const argv = words.map((word) => Buffer.from(word).toString());
  const result = Bun.spawnSync(argv, {
    cwd: directory,
    stdout: "pipe",
    stderr: "pipe",
    timeout: 10_000,
  });
  return latin1(new Uint8Array(result.stdout));
}

/** What each prints for a file NAME in DIR. */
const commands: Record<string, (dir: string, name: string) => string> = {
  "/bin/echo $@/$#": (dir, name) => `${dir}/${name}\n`,
  "/bin/echo '$#' \"$#\"": (_, name) => `${name} ${name}\n`,
  "printf %s $#": (_, name) => name,
  'printf %s "<$#>"': (_, name) => `<${name}>`,
  "printf %s '<$#>'": (_, name) => `<${name}>`,
  "printf %s \\$#": (_, name) => name,
  'printf %s "\\$#"': (_, name) => name,
  ": $$(printf %s $#)": () => "",
  'printf %s "$$(printf %s "$#")"': (_, name) => name.replace(/\n+$/, ""),
  'x=$#; printf %s "$$x"': (_, name) => name,
  "bash -c 'printf %s $#'": (_, name) => name,
  'sh -c "printf %s $@/$#"': (dir, name) => `${dir}/${name}`,
  "sh -c 'printf %s \"$#\"'": (_, name) => name,
  "env A=b bash -c 'bash -c \"printf %s $#\"'": (_, name) => name,
  "printf %s $# | cat": (_, name) => name,
  "{ printf %s $#; } 2>&1": (_, name) => name,
  "(printf %s $#)": (_, name) => name,
  'for f in $#; do printf %s "$$f"; done': (_, name) => name,
  "case $# in $#) printf yes;; esac": () => "yes",
  "cat <<< $#": (_, name) => `${name}\n`,
  "printf %s $$'a\\t'$#": (_, name) => `a\t${name}`,
  "test -n $# && printf yes # $#": () => "yes",
  "if [ -n $# ]; then printf %s $#; fi": (_, name) => name,
  "[[ $# == $# ]] && printf yes": () => "yes",
};

describe("a file name is data in", () => {
  for (const [command, prints] of Object.entries(commands)) {
    test(command, () => {
      using dir = tempDir();
      for (const name of hostileNames) {
        const out = run(commandOf(command), dir.path, name);
        expect(Buffer.from(out, "latin1").toString()).toBe(prints(dir.path, name));
        expect(readdirSync(dir.path)).toEqual([]);
      }
    });
  }
});

describe("incron's incrontab refuses, as a name would be run:", () => {
  test.each([
    ["eval echo $#", /eval would read the name as a command/],
    ["ssh host ls $#", /ssh would read/],
    ["su - bob -c 'ls $#'", /su would read/],
    ["sudo -u bob ssh host ls $#", /ssh would read/],
    ["echo $$((1 + $#))", /where the shell computes/],
    ["(( $# > 3 )) && x", /where the shell computes/],
    ["a[$#]=1; x", /where the shell computes/],
    ["[[ $# -gt 3 ]] && x", /Cannot compute with/],
    ["[[ 3 -gt 1 && -v $# ]] && x", /Cannot compute with/],
    ["printf -v $# x", /Cannot compute with/],
    ["echo `ls $#`", /inside backquotes/],
    ["echo $${x:-$#}", /inside braces/],
    ["$# x", /run as a program/],
    ["perl -e 'print \"$#\"'", /perl would read the name as a part of its program/],
    ["python3 -c 'print(\"$#\")'", /python3 would read/],
    ["awk '/$#/ { print }' f", /awk would read/],
    ["sed s/$#/x/ f", /sed would read/],
    ["sed -n -e s/$#/x/ f", /sed would read/],
    ["read $#", /read takes the name of a variable/],
    ["bash -c $#", /in this script for another shell/],
    ['bash -c "ls $# $$(date)"', /in this script for another shell/],
    ["bash -c 'ls $#' x y", /arguments of its own/],
    ["echo '$#", /Missing closing quote '/],
    ['echo "$#', /Missing closing quote "/],
    ["x=$$1; echo $#", /has no arguments/],
  ])("%s", (command, message) => {
    expect(refusalOf(command)).toMatch(message);
  });
});

test("random commands never run a name", () => {
  const random = randomNumbers(seedOf("incron-shell"));
  const pieces = [
    ..."$# $@ $% $$ ' \" \\ ` ; | & ( ) { } < > # $( $(( )) [[ ]] -eq [ ] ~ * = a= x[".split(" "),
    ..." |  |echo|printf %s|bash -c |sh -c |eval |$$(|$${|cat|for f in|do|done|case|in|esac|true".split(
      "|",
    ),
  ];
  using dir = tempDir();
  let ran = 0;
  for (let round = 0; round < 2_000 && ran < 250; round++) {
    const text = Array.from({ length: 2 + random(10) }, () => pieces[random(pieces.length)]).join(
      "",
    );
    let command: Command;
    try {
      command = commandOf(text.trim() || "x");
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      continue;
    }
    const name = hostileNames[random(hostileNames.length)]!;
    if (/^-|^\* |^~/.test(name)) continue;
    const work = join(dir.path, "work");
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    writeFileSync(join(work, "keep"), "");
    try {
      run(command, work, name);
    } catch (error) {
      if (!/ENOENT|EACCES|spawn/.test(String(error))) throw error; // a word that is no program
    }
    ran++;
    if (existsSync(join(work, "pwned")))
      throw new Error(`${JSON.stringify(text)} ran ${JSON.stringify(name)}`);
  }
  expect(ran).toBeGreaterThan(100);
}, 120_000);
