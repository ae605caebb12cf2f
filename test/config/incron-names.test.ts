/** What bash does with a name where incron's tables refuse one, and names that are not UTF-8. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { parseIncronTable } from "../../src/config/incron-table.ts";
import { shellWords } from "../../src/rule/shell-words.ts";
import { Counters, fillCommand } from "../../src/rule/template.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** `$1` is the name: a quoted parameter would not be enough in these, so they are refused. */
describe("bash runs a name that is only a quoted parameter in", () => {
  const evaluated = "a[$(touch pwned)]";
  test.each([
    ["x=$1; echo $((x))", evaluated],
    ["x=$1; (( x )) || true", evaluated],
    ["x=$1; echo $[x]", evaluated],
    ['[[ "$1" -eq 1 ]]', evaluated],
    ['[[ -v "$1" ]]', evaluated],
    ['test -v "$1"', evaluated],
    ["x=$1; [ $x = y ]", "-v a[$({touch,pwned})]"],
    ['printf -v "$1" x', evaluated],
    ['printf "$1" x', "-va[$(touch pwned)]"],
    ['read "$1" <<< x', evaluated],
    ['a=(1); unset "$1"', evaluated],
    ['x=$1; echo "${!x}"', evaluated],
    ['x=$1; echo "${x@P}"', "$(touch pwned)"],
    ["x=$1; y=abc; echo ${y:$x}", evaluated],
    ["x=$1; a=(1); echo ${a[$x]}", evaluated],
    ["x=$1; a=([$x]=1)", evaluated],
    ['echo >&"$1"', "`touch pwned`"],
    ["RANDOM=$1", evaluated],
    ["read OPTIND <<< $1", evaluated],
    ['declare -n x="$1"; echo "$x"', evaluated],
    ['let "$1"', evaluated],
    ['eval "$1"', "touch pwned"],
    ['"$1" pwned', "touch"],
    ['printf %s "$1" | bash', "touch pwned"],
    ['BASH_ENV="$1" bash -c true', "$(touch pwned)"],
    ["perl -e \"print '$1'\"", "'.`touch pwned`.'"],
    ['awk "BEGIN { print \\"$1\\" }"', '" system("touch pwned") "'],
    ['echo x | sed "s|x|$1|"', "touch pwned|e;#"],
  ])("%s", (script, name) => {
    using dir = tempDir();
    const cwd = dir.path;
    Bun.spawnSync(["bash", "-c", script, "incron", name], {
      cwd,
      stdout: "ignore",
      stderr: "ignore",
    });
    expect(existsSync(`${cwd}/pwned`)).toBe(true);
  });
});

test.each([
  ["/bin/echo -n $#"],
  ["printf %s $#"],
  ['printf %s "$#"'],
  ["printf %s '$#'"],
  ["bash -c 'printf %s $#'"],
  ["bash -c \"bash -c 'printf %s $#'\""],
  ["printf %s $$'$#'"],
  ['x=$#; printf %s "$$x"'],
])("a name of bytes that are not UTF-8 stays as it is in %s", (command) => {
  const bytes = utf8(`/d IN_CREATE ${command}\n`);
  const { rule } = parseIncronTable({ file: "t", bytes, cwd: "/" }).rules[0]!;
  const name = "\xff\xfe \x01'\xc3(";
  const filling = {
    ...{ path: fromLatin1(`/d/${name}`), from: new Uint8Array(0), events: 0x100, pid: 0, seq: 1 },
    ...{ isSelf: false, isDirectory: false },
  };
  const words = fillCommand(rule.command!, filling, { rule: "t:1", counters: new Counters() });
  const { stdout } = Bun.spawnSync(["bash", "-c", shellWords(words)]);
  expect(latin1(stdout)).toBe(name);
});
