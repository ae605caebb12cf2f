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
  "-va[$(touch pwned)]",
  "-v a[$({touch,pwned})]",
  "\n; touch pwned #",
  "]]; touch pwned; [[",
  ") touch pwned ;; (",
  "!!",
  "%s%n",
  "\\",
  "'",
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
  'printf %s "`printf %s $#`"': (_, name) => name.replace(/\n+$/, ""),
  'f() { printf %s "$$1" $#; }; f x': (_, name) => `x${name}`,
  'set -- a b; printf %s $# "$$2"': (_, name) => `${name}b`,
  'dash -c \'printf %s "$#"; printf %s "`printf %s $#`"\'': (_, name) =>
    name + name.replace(/\n+$/, ""),
  "env -i nice timeout 5 bash -c 'printf %s $@/$#'": (dir, name) => `${dir}/${name}`,
  "printf '%s\\0' $# | xargs -0 printf %s": (_, name) => name,
  "printf %s $# | xargs -0 sh -c 'printf %s \"<$#>\"'": (_, name) => `<${name}>`,
  'x=$#; [ "$$x" = $# ] && printf yes': () => "yes",
  "case $# in ([a-z]*|*$#*) printf yes ;; (*) printf no ;; esac": () => "yes",
  "read -r -d '' x <<< $#; printf %s \"$$x\"": (_, name) => name.trim(),
  "cat <(printf %s $#)": (_, name) => name,
  "printf %s '$#''$#' $$'$#'": (_, name) => name.repeat(3),
  'export x=$#; printf %s "$$x"': (_, name) => name,
  "bash -c 'printf %s \"$$1\"' sh $#": (_, name) => name,
  "printf %s a$#b # '$#": (_, name) => `a${name}b`,
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
    ["eval echo $#", /Cannot use eval/],
    ["ssh host ls $#", /program text of ssh/],
    ["su - bob -c 'ls $#'", /program text of su/],
    ["sudo -u bob ssh host ls $#", /program text of ssh/],
    ["echo $$((1 + $#))", /Cannot calculate/],
    ["(( $# > 3 )) && x", /Cannot calculate/],
    ["x=$#; echo $$((x + 1))", /Cannot calculate/],
    ["a[$#]=1; x", /Cannot use an index/],
    ["[[ $# -gt 3 ]] && x", /Cannot compare numbers/],
    ["[[ 3 -gt 1 && -v $# ]] && x", /Cannot use -v in \[\[/],
    ["printf -v $# x", /name a variable of printf/],
    ["printf $# x", /start the format of printf/],
    ['x=$#; printf "$$x"', /start the format of printf/],
    ["x=$#; [ $$x = y ]", /Missing quotes in \[/],
    ["echo `echo \\`ls $#\\``", /backslashes between backticks/],
    ["echo $${x:-$#}", /token inside/],
    ["x=$#; echo $${x@P}", /this form/],
    ["$# x", /choose the program/],
    ["perl -e 'print \"$#\"'", /program text of perl/],
    ["perl -ne'print \"$#\"'", /program text of perl/],
    ["python3 -c 'print(\"$#\")'", /program text of python/],
    ["awk '/$#/ { print }' f", /program text of awk/],
    ["sed s/$#/x/ f", /program text of sed/],
    ["sed -n -e s/$#/x/ f", /program text of sed/],
    ["read $#", /name a variable of read/],
    ["bash -c $#", /choose the program/],
    ['bash -c "ls $# $$(date)"', /Cannot tell what text/],
    ['x=$#; bash -c "ls $$x"', /Cannot tell what text/],
    ["bash -c 'ls $#' x y", /words behind it/],
    ["bash <<< $#", /read its commands/],
    ["echo $# | sudo sh", /read its commands/],
    ["find $@ -exec sh -c 'ls {}' +", /Cannot put \{\}/],
    ["echo '$#", /Missing closing quote '/],
    ['echo "$#', /Missing closing quote "/],
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
