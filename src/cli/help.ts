/** What `--help` says. */
import { defaultConfiguration, defaultMaxRunning } from "./run.ts";

export const mainHelp = `facron: run commands when files change

Usage:
  facron [--config FILE] [--daemon] [--max-running N]
  facron watch [-r] [-e EVENT[,EVENT]] [--backend NAME] PATH...

Options:
  -c, --config FILE    rules to follow, one a line (default ${defaultConfiguration})
  -d, --daemon         detach once every watch is set (also --background)
      --max-running N  commands that may run at once (default ${defaultMaxRunning})
  -h, --help           this help; facron watch --help for that command
  -V, --version        the version

Events are written to stdout, one JSON object a line. The log goes to stderr; it says
"facron: ready" once every watch is set. SIGUSR1 and SIGHUP reload the rules, SIGTERM
and SIGINT end after what has happened until then is done.

Examples:
  facron --config facron.conf
  facron --config facron.conf | jq -r 'select(.events[] == "close_write") | .path'
  kill -USR1 "$(pidof facron)"

A line of the file is a path, events and a command, which gets $$ (the path), $@ (its
directory), $# (its name) and $* (the pid of who did it), each as one argument:

  # reload nginx when its configuration changes
  /etc/nginx/nginx.conf  FAN_CLOSE_WRITE  /usr/sbin/nginx -s reload
  # pick up files as soon as they are completely written
  /srv/in  FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD,FAN_MOVED_TO  /usr/local/bin/import $$
`;

export const watchHelp = `facron watch: write the events of paths to stdout, one JSON object a line

Usage:
  facron watch [-r] [-e EVENT[,EVENT]] [--backend NAME] PATH...

Options:
  -r, --recursive      directories below PATH too, also those that come later
  -e, --events LIST    only these events; may be given more than once
                       (default: all that change something, so not open, access, close_nowrite)
  -b, --backend NAME   auto (default: fanotify with privilege, else inotify), fanotify, inotify
  -h, --help           this help

Events: access modify attrib close_write close_nowrite open open_exec create delete
  delete_self moved_from moved_to move_self rename q_overflow unmount; also all, close, move

Examples:
  facron watch /etc
  facron watch -r -e close_write,moved_to /srv/in
  facron watch -e create . | head -1
`;
