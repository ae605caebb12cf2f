/** Programs that take a word, or what they read, for a program: where a file's name could run something. */

export interface Interpreter {
  /** Options with program text behind them. */
  readonly code?: RegExp;
  /** The first word that is no option is program text, unless an option has brought it. */
  readonly firstIsCode?: boolean;
  /** Options with a value that is no program text. */
  readonly valued?: RegExp;
  /** Options after which there is no program text among the words. */
  readonly fromFile?: RegExp;
  /** Every word is program text. */
  readonly allIsCode?: boolean;
  /** Without words it reads its program from stdin. */
  readonly readsProgram?: boolean;
  /** What to write, as a clause. */
  readonly cure: string;
}

/** Their `-c TEXT` is read as we read a table, and rewritten. */
export const shells: ReadonlySet<string> = new Set([
  ...["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "rbash"],
]);

const asArgument = (how: string): string => `write the name behind it, ${how}`;
const inScript = "put the command into a script, and give it $@/$# as a word";

const text: Interpreter = { allIsCode: true, cure: inScript };
const awk: Interpreter = {
  firstIsCode: true,
  valued: /^-[Fv]$/,
  fromFile: /^(-f|--file)/,
  cure: "give it a variable, like awk -v name=$# '{ print name }'",
};
const sed: Interpreter = {
  code: /^(-[a-zA-Z]*e|--expression)/,
  firstIsCode: true,
  fromFile: /^(-f|--file)/,
  cure: inScript,
};
const languages: Readonly<Record<string, Interpreter>> = {
  perl: {
    code: /^-[a-zA-Z0-9]*[eE]/,
    readsProgram: true,
    cure: asArgument("like perl -e 'print $$ARGV[0]' $@/$#"),
  },
  python: {
    code: /^-[a-zA-Z]*c/,
    readsProgram: true,
    cure: asArgument("like python3 -c 'import sys; print(sys.argv[1])' $@/$#"),
  },
  ruby: { code: /^-[a-zA-Z]*e/, readsProgram: true, cure: asArgument("as ARGV[0]") },
  node: {
    code: /^(-[a-zA-Z]*[ep]|--eval|--print)/,
    readsProgram: true,
    cure: asArgument("as process.argv[1]"),
  },
  bun: { code: /^(-[ep]|--eval|--print)/, cure: asArgument("as process.argv[1]") },
  php: { code: /^-[rBRE]/, readsProgram: true, cure: asArgument("as $$argv[1]") },
  lua: { code: /^-e/, readsProgram: true, cure: asArgument("as arg[1]") },
};

/** By their names without a version: "python" is "python3.11" too. */
export const interpreters: ReadonlyMap<string, Interpreter> = new Map(
  Object.entries({
    ...languages,
    nodejs: languages["node"]!,
    awk,
    gawk: awk,
    mawk: awk,
    nawk: awk,
    sed,
    gsed: sed,
    ...all(["Rscript", "gnuplot"], { code: /^-e/, cure: inScript }),
    ...all(["tclsh", "expect"], { code: /^-c/, readsProgram: true, cure: inScript }),
    ...all(["octave", "emacs"], { code: /^--?eval/, cure: inScript }),
    ...all(["psql", "guile", "flock"], { code: /^(-c|--command)/, cure: inScript }),
    ...all(["mysql", "mariadb"], { code: /^(-e|--execute)/, cure: inScript }),
    ...all(["gdb"], { code: /^--?(ex|eval-command)/, cure: inScript }),
    ...all(["vi", "vim", "nvim", "ex"], { code: /^(-c|--cmd|\+)/, cure: inScript }),
    ...all(["sqlite"], { allIsCode: true, cure: inScript }),
    ...all(["at", "batch"], { allIsCode: true, readsProgram: true, cure: inScript }),
    ...all(["dc", "bc"], { allIsCode: true, readsProgram: true, cure: inScript }),
    ...all(["make", "gmake", "parallel", "watch", "script", "screen", "tmux"], text),
    ...all(["ssh", "rsh", "mosh", "su", "runuser", "sg", "crontab", "xterm"], text),
    ...all(["fish", "csh", "tcsh"], { code: /^-[a-zA-Z]*c/, readsProgram: true, cure: inScript }),
  } satisfies Record<string, Interpreter>),
);

function all(names: readonly string[], what: Interpreter): Record<string, Interpreter> {
  return Object.fromEntries(names.map((name) => [name, what]));
}

/** They run a program that their words name. */
export const wrappers: ReadonlySet<string> = new Set([
  ...["env", "nice", "ionice", "nohup", "sudo", "doas", "timeout", "setsid", "stdbuf", "chrt"],
  ...["taskset", "flock", "exec", "command", "builtin", "xargs", "find", "chroot", "nsenter"],
  ...["unshare", "strace", "ltrace", "systemd-run", "systemd-cat", "busybox", "docker", "podman"],
  ...["kubectl", "pkexec", "firejail", "bwrap", "fakeroot", "unbuffer", "chronic", "ifne"],
  ...["dbus-run-session", "xvfb-run", "start-stop-daemon", "trickle", "cpulimit", "prlimit"],
  ...["setpriv", "capsh", "gosu", "su-exec", "eatmydata", "faketime", "lxc-attach", "machinectl"],
  ...["time", "coproc"],
]);

/** Whatever their words are, they are no program; most lines of a table end in one. */
export const leaves: ReadonlySet<string> = new Set([
  ...["echo", "printf", "logger", "cp", "mv", "rm", "ls", "cat", "touch", "mkdir", "ln", "grep"],
  ...["egrep", "fgrep", "zgrep", "tee", "chmod", "chown", "chgrp", "date", "wall", "basename"],
  ...["dirname", "stat", "wc", "head", "tail", "sort", "cut", "tr", "file", "du", "sleep", "true"],
  ...["gzip", "gunzip", "zcat", "md5sum", "sha1sum", "sha256sum", "notify-send", "mail", "mailx"],
  ...["curl", "wget", "test", "[", "[[", "case", "for", "select", "cd", "export", "readonly"],
]);
