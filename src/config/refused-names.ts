/** Names that someone may well write for an event, and why they can't be had: the cure included. */

/** The reasons by name, in upper case. */
export const refusals: Readonly<Record<string, string>> = {
  FAN_ALL_OUTGOING_EVENTS:
    "it holds events that are told and some that are decided; write FAN_ALL_EVENTS,FAN_Q_OVERFLOW in one line, and FAN_ALL_PERM_EVENTS in another",
  IN_ISDIR: "it is a mark on events and no event; leave it out, directories are reported anyway",
  IN_IGNORED: "it tells of the end of a watch; write IN_DELETE_SELF,IN_UNMOUNT",
  IN_ONLYDIR: optionOfInotify(),
  IN_DONT_FOLLOW: optionOfInotify(),
  IN_EXCL_UNLINK: optionOfInotify(),
  IN_MASK_CREATE: optionOfInotify(),
  IN_MASK_ADD: optionOfInotify(),
  IN_ONESHOT: optionOfInotify(),
};

function optionOfInotify(): string {
  return "it is an option of inotify and no event; leave it out";
}
