/** What `--help` says. */
import { defaultMaxRunning } from "../daemon/options.ts";
import type { commandNames } from "./arguments.ts";
import { defaultConfiguration } from "./configuration.ts";

const mainHelp = `facron: run commands when files change

Usage:
  facron [--config FILE]... [--incron] [--daemon] [--dry-run] [--watch-config]
  facron watch [-r] [-e EVENT[,EVENT]] [--actor] [--backend NAME] PATH...
  facron check [--json] [FILE...]             what is wrong with a configuration
  facron explain [FILE...]                    what each rule does, in a sentence
  facron explain --event EVENT PATH...        which rules would fire, and what they would run
  facron convert FILE                         a facron or incron table as TOML
  facron schema                               the JSON Schema of the TOML
  facron status [--json] [--pid N]            what running facrons do
  facron queue [list|retry|drop] [ID...]      what of durable rules waits, runs and died
  facron gate test [--exe PATH] PATH...       what gates would decide, and why

Options:
  -c, --config FILE    rules to follow: a file, or a directory of files; may be given more than
                       once (default ${defaultConfiguration})
      --format NAME    toml, incron or facron (default: by the file's name and text)
      --incron         follow incron's tables: /etc/incron.d and the users' own
      --incron-conf FILE  the same with another incron.conf
  -d, --daemon         detach once every watch is set (also --background)
      --dry-run        do everything but start commands: log what would be run
      --watch-config   reload when a file of the configuration changes (always with --incron)
      --gate-log WHICH  decisions of gates to write out: all, deny (default) or none
      --max-running N  commands that may run at once (default ${defaultMaxRunning})
  -h, --help           this help; facron COMMAND --help for a command
  -V, --version        the version

Events are written to stdout, one JSON object a line. The log goes to stderr; it says
"facron: ready" once every watch is set. SIGUSR1 and SIGHUP reload the rules, SIGUSR2 says
in the log what is going on, SIGTERM and SIGINT end after what has happened until then is done.

Examples:
  facron --config facron.conf
  facron --config facron.conf | jq -r 'select(.events[] == "close_write") | .path'
  kill -USR1 "$(pidof facron)"

A table has a rule a line: a path, events and a command, which gets $$ (the path), $@ (its
directory), $# (its name) and $* (the pid of who did it), each as one argument:

  # reload nginx when its configuration changes
  /etc/nginx/nginx.conf  FAN_CLOSE_WRITE  /usr/sbin/nginx -s reload
  # pick up files as soon as they are completely written
  /srv/in  FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD,FAN_MOVED_TO  /usr/local/bin/import $$

The same in TOML (facron.toml):

  [[rule]]
  watch = "/srv/in"
  on = ["close_write", "moved_to"]
  run = ["/usr/local/bin/import", "{path}"]
`;

const watchHelp = `facron watch: write the events of paths to stdout, one JSON object a line

Usage:
  facron watch [-r] [-e EVENT[,EVENT]] [--actor] [--backend NAME] PATH...

Options:
  -r, --recursive      directories below PATH too, also those that come later
  -e, --events LIST    only these events; may be given more than once
                       (default: all that change something, so not open, access, close_nowrite)
  -i, --include PATTERN  only names like "*.csv", or paths below PATH like "in/**/*.csv"
  -x, --exclude PATTERN  not these, nor what is in such directories: "*.part", "node_modules/"
  -t, --type TYPE      only file, dir or symlink
      --ignore-file NAME  not what such files in the directories list: .gitignore; or one PATH
                       (these may be given more than once)
  -a, --actor          with comm, exe and uid of the process that did it (fanotify, so root only)
  -b, --backend NAME   auto (default: fanotify with privilege, else inotify), fanotify, inotify,
                       or poll: look from time to time, for what other machines change
      --poll-interval TIME  with --backend poll: the time between two looks, like 500ms (default 2s)
      --scope SCOPE    with -r: tree (default), or filesystem: the kernel reports the whole filesystem,
                       at once however many directories there are (fanotify, so root only)
  -h, --help           this help

Events: access modify attrib close_write close_nowrite open open_exec create delete
  delete_self moved_from moved_to move_self rename q_overflow unmount; also all, close, move

Examples:
  facron watch /etc
  facron watch -r -e close_write,moved_to /srv/in
  facron watch -r -t file -x .git/ --ignore-file .gitignore .
  facron watch --actor -e close_write,delete /etc
  facron watch -e create . | head -1
`;

const sources = `  -c, --config FILE    the same as FILE
      --format NAME    toml, incron or facron (default: by the file's name and text)
      --incron         incron's tables: /etc/incron.d and the users' own
      --incron-conf FILE  the same with another incron.conf`;

const checkHelp = `facron check: what is wrong with a configuration, and what is odd

Usage:
  facron check [--json] [--format NAME] [--incron] [FILE...]

Reads FILE (default ${defaultConfiguration}) as the daemon would and says every error and warning
with its place. Nothing is watched and nothing is run.

Options:
${sources}
      --json           one JSON object, for editors and CI
  -h, --help           this help

Exit code: 0 if the configuration can be used, 2 if it has errors.
`;

const explainHelp = `facron explain: what rules do, in plain sentences

Usage:
  facron explain [--config FILE] [FILE...]
  facron explain [--config FILE] --event EVENT[,EVENT] PATH...

With --event: which rules would fire if that happened to PATH, with the exact arguments, user,
directory and environment of their commands, and why the others would not. With open_perm and
the like: which gate would decide about it.

Options:
${sources}
  -e, --event LIST     what happens to PATH, e.g. close_write
      --from PATH      for --event rename: the old path
      --directory      PATH is a directory (default: as it is on the disk)
      --json           one JSON object
  -h, --help           this help

Examples:
  facron explain /etc/facron.conf
  facron explain -c /etc/facron.conf --event close_write /srv/in/a.csv
`;

const convertHelp = `facron convert: a facron or incron table as TOML that means the same

Usage:
  facron convert [--format NAME] FILE > facron.toml

Comments are kept. The rules keep their names, so that JSON lines say the same as before.

Options:
      --format NAME    incron or facron (default: by the file's name and text)
  -h, --help           this help
`;

const schemaHelp = `facron schema: the JSON Schema of the TOML, for editors

Usage:
  facron schema > facron.schema.json

In an editor with taplo, the first line of a TOML file then is:

  #:schema ./facron.schema.json

Options:
  -h, --help           this help
`;

const statusHelp = `facron status: what running facrons do, and what their rules have done

Usage:
  facron status [--json] [--pid N]
  facron status [--json] SOCKET...

Asks each facron that you may ask: your own, and as root everybody's. Times are medians, from the
reading of an event to the start of its command (WAITED) and from there to its end (RAN), each with
its 99th percentile. What is not 0 gets a column: RETRYING at present; FAILED, RETRIED; DROPPED
by a full queue; SKIPPED, as a command was running; OWN, what the rule's own commands did;
SUSPENDED, paths on which the rule sets itself off again and again. Of gates: verdicts, and of both
kinds how many came FROM CACHE, by on_timeout (TIMED OUT) and on_error (FAILED); processes WAITING.

Options:
  -c, --config FILE    look also where its runtime_dir is (default ${defaultConfiguration})
      --pid N          only the facron with this pid
      --json           one JSON object a line for each facron
  -h, --help           this help

SOCKET is the socket of a facron, or a directory of them. Exit code: 0, or 1 if none answers.

Examples:
  facron status
  facron status --json | jq '.rules[] | select(.failed > 0) | .name'
`;

const queueHelp = `facron queue: what of durable rules waits, runs and died

Usage:
  facron queue [list] [--json] [--rule NAME] [--dead]
  facron queue retry ID... | --rule NAME | --all     what died is run again
  facron queue drop ID... | --rule NAME | --all      it is not run any more; what runs, runs on

A facron that runs is told at once.

Options:
${sources.replace("the same as FILE", "whose queue")}
      --state-dir DIR  where journals are (default: state_dir of the configuration)
      --rule NAME      only of this rule
      --dead           only what died
      --all            everything: for drop also what waits
      --json           one JSON object a line
  -h, --help           this help

Examples:
  facron queue --config /etc/facron.toml
  facron queue retry --rule import
  facron queue drop 17 18
`;

const gateHelp = `facron gate test: what the gates of a configuration would decide, and why

Usage:
  facron gate test [--config FILE] [--on EVENT[,EVENT]] [--exe PATH] [--user NAME] PATH...

For each PATH: allow, deny or ask, by which gate, with the exact arguments of the command that is
asked, and why the gates before it do not decide. Nothing is run, opened or asked. What facron itself
and its commands do is let through always.

Options:
${sources.replace("the same as FILE", "whose gates")}
      --on LIST        what is to be decided: open_perm (default), access_perm, open_exec_perm,
                       pre_access
      --exe PATH       the program that does it
      --user NAME      its user, or the uid
      --comm NAME      its name, of which the kernel keeps 15 bytes
      --directory      PATH is a directory (default: as it is on the disk)
      --json           one JSON object
  -h, --help           this help

Where a gate depends on what is not given, it says so, and decides as for a process of which the
kernel does not tell it. Exit code: 1 if something is denied, 0 if everything is allowed or asked.

Examples:
  facron gate test -c /etc/facron.toml /srv/in/report.pdf
  facron gate test -c /etc/facron.toml --on open_exec_perm --exe /bin/sh --user www-data /srv/in/x
`;

const helps: Readonly<Record<(typeof commandNames)[number] | "run", string>> = {
  run: mainHelp,
  watch: watchHelp,
  check: checkHelp,
  explain: explainHelp,
  convert: convertHelp,
  schema: schemaHelp,
  status: statusHelp,
  queue: queueHelp,
  gate: gateHelp,
};

export function helpOf(command: keyof typeof helps): string {
  return helps[command];
}
