/** What becomes of the words of one command: some programs read a word as a program of its own. */
import { basename } from "node:path";
import { anyMarker, writtenToken } from "./incron-tokens.ts";

/** "argument": data. "script": a text that a shell will read, and that can be made safe. */
export type WordVerdict = "argument" | "script" | { readonly refused: string };

const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"]);

/** They hand their words on to a shell in a way that we can't follow. */
const passers: ReadonlySet<string> = new Set([
  ...["eval", "source", ".", "trap", "alias", "let", "declare", "typeset", "local"],
  ...[
    "su",
    "runuser",
    "ssh",
    "parallel",
    "watch",
    "script",
    "at",
    "batch",
    "tmux",
    "screen",
    "fish",
    "csh",
    "tcsh",
  ],
]);

/** Their option for a program, or null if the first word that is no option is one. */
const interpreters: Readonly<Record<string, RegExp | null>> = {
  perl: /^-\w*[eE]$/,
  python: /^-\w*c$/,
  python2: /^-\w*c$/,
  python3: /^-\w*c$/,
  ruby: /^-\w*e$/,
  node: /^(-e|-p|--eval|--print)$/,
  php: /^-r$/,
  lua: /^-e$/,
  awk: null,
  gawk: null,
  mawk: null,
  sed: null,
  jq: null,
};

/** bash evaluates what they get as the name of a variable, subscript included. */
const namers: ReadonlySet<string> = new Set([
  "export",
  "readonly",
  "unset",
  "read",
  "mapfile",
  "readarray",
]);

/** Behind them stands another program, after options, numbers and assignments. */
const wrappers: ReadonlySet<string> = new Set([
  ...[
    "sudo",
    "doas",
    "env",
    "nice",
    "ionice",
    "nohup",
    "timeout",
    "setsid",
    "stdbuf",
    "chroot",
    "flock",
  ],
  ...["time", "exec", "command", "builtin", "xargs", "busybox", "if", "then", "else", "elif"],
  ...["while", "until", "do", "!"],
]);

/** Looks at the words of one simple command as they come. */
export class ProgramWatch {
  /** What is run, once its word has come. */
  #program: string | null = null;
  #hasWrapper = false;
  #shell: "none" | "seen" | "wantsScript" = "none";
  #interpreter: { option: RegExp | null; wants: boolean } | null = null;
  #hasToken = false;
  #computes = false;

  /** Between `[[` and `]]`, where `&&` ends no command. */
  get isInTest(): boolean {
    return this.#program === "[[";
  }

  /** @param written the word as it is written, tokens as markers */
  take(written: string): WordVerdict {
    const word = unquoted(written);
    const hasToken = anyMarker.test(written);
    const token = hasToken ? writtenToken(anyMarker.exec(written)![0]) : "a token";
    const why = hasToken ? this.#whyNot(word, token) : null;
    const isScript = hasToken && this.#shell === "wantsScript" && this.#program !== null;
    this.#learn(word, hasToken);
    if (why !== null) return { refused: `Cannot use ${token} here: ${why}` };
    if (this.#hasToken && this.#computes) {
      this.#computes = false; // once is enough
      return {
        refused:
          "Cannot compute with a token: the shell would run what is in a name; put this into a script",
      };
    }
    return isScript ? "script" : "argument";
  }

  #whyNot(word: string, token: string): string | null {
    const program = this.#program ?? "";
    if (this.#isProgram(word) && !/^[/\ue000]/.test(word))
      return "the name of a file would be run as a program; write the program's path";
    if (passers.has(program))
      return `${program} would read the name as a command; put it into a script that gets ${token} as its argument`;
    const { option = null, wants = false } = this.#interpreter ?? {};
    if (this.#interpreter !== null && (wants || (option === null && !word.startsWith("-"))))
      return `${program} would read the name as a part of its program; give it as an argument, or put this into a script`;
    if (namers.has(program) && anyMarker.test(word.split("=")[0]!))
      return `${program} takes the name of a variable; write one`;
    return null;
  }

  #learn(word: string, hasToken: boolean): void {
    this.#learnShell(word);
    if (this.#isProgram(word)) this.#learnProgram(word);
    else if (this.#program !== null) this.#learnArgument(word, hasToken);
  }

  /** Not an assignment before it, and not the option of what wraps it. */
  #isProgram(word: string): boolean {
    if (this.#program !== null || /^\w+\+?=/.test(word)) return false;
    return !this.#hasWrapper || !/^(-|\d)/.test(word);
  }

  #learnProgram(word: string): void {
    const name = basename(word);
    if (wrappers.has(name)) this.#hasWrapper = true;
    else this.#program = name;
    const option = Object.hasOwn(interpreters, name) ? interpreters[name] : undefined;
    if (option !== undefined) this.#interpreter = { option, wants: false };
  }

  #learnArgument(word: string, hasToken: boolean): void {
    if (word === "]]") this.#program = "]]";
    // `sudo -u bob ssh`: which of its options take a value is not known here.
    const name = basename(word);
    if (this.#hasWrapper && (passers.has(name) || Object.hasOwn(interpreters, name)))
      return this.#learnProgram(word);
    if (this.#interpreter !== null) this.#learnOption(this.#interpreter, word);
    if (!["[[", "[", "test", "printf"].includes(this.#program!)) return;
    if (hasToken) this.#hasToken = true;
    if (/^-(v|eq|ne|lt|le|gt|ge)$/.test(word)) this.#computes = true;
  }

  /** Wherever it stands: find(1) and many others start one. */
  #learnShell(word: string): void {
    if (shells.has(basename(word))) this.#shell = "seen";
    else if (this.#shell === "seen" && /^[-+]\w*c\w*$/.test(word)) this.#shell = "wantsScript";
    else if (this.#shell === "wantsScript" && !/^[-+]/.test(word)) this.#shell = "none";
  }

  #learnOption(interpreter: { option: RegExp | null; wants: boolean }, word: string): void {
    if (interpreter.option !== null) interpreter.wants = interpreter.option.test(word);
    else if (!word.startsWith("-"))
      interpreter.option = never; // that was its program
    else interpreter.wants = /^-(e|f|-expression)$/.test(word);
  }
}

const never = /$^/;

/** As far as its quotes are plain. */
function unquoted(written: string): string {
  return written.replace(/^(['"])(.*)\1$/s, "$2").replace(/\\(.)/gs, "$1");
}
