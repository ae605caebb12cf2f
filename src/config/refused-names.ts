/** Names that someone may well write for an event, and why they can't be had: the cure included. */

/** The reasons by name, in upper case. */
export const refusals: Readonly<Record<string, string>> = {
  FAN_OPEN_PERM: needsGate("FAN_OPEN"),
  FAN_ACCESS_PERM: needsGate("FAN_ACCESS"),
  FAN_OPEN_EXEC_PERM: needsGate("FAN_OPEN_EXEC"),
  FAN_PRE_ACCESS: needsGate("FAN_ACCESS"),
  FAN_ALL_PERM_EVENTS: needsGate("FAN_OPEN,FAN_ACCESS"),
  FAN_ALL_OUTGOING_EVENTS:
    "it holds permission events, which need gates, and this version has none; write FAN_ALL_EVENTS,FAN_Q_OVERFLOW",
  OPEN_PERM: needsGate("open"),
  ACCESS_PERM: needsGate("access"),
  OPEN_EXEC_PERM: needsGate("open_exec"),
  IN_ISDIR: "it is a mark on events and no event; leave it out, directories are reported anyway",
  IN_IGNORED: "it tells of the end of a watch; write IN_DELETE_SELF,IN_UNMOUNT",
  IN_ONLYDIR: optionOfInotify(),
  IN_DONT_FOLLOW: optionOfInotify(),
  IN_EXCL_UNLINK: optionOfInotify(),
  IN_MASK_CREATE: optionOfInotify(),
  IN_MASK_ADD: optionOfInotify(),
  IN_ONESHOT: optionOfInotify(),
};

function needsGate(instead: string): string {
  return `permission events need gates, which this version does not have; write ${instead} to be told afterwards`;
}

function optionOfInotify(): string {
  return "it is an option of inotify and no event; leave it out";
}
