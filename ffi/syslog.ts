/** syslog(3): where a daemon without a stderr speaks. */
import { libc } from "./libc.ts";
import { cString, utf8 } from "./bytes.ts";

/** LOG_ERR, LOG_WARNING, LOG_INFO. */
export type SyslogPriority = 3 | 4 | 6;

export const LOG_PID = 0x01;
export const LOG_DAEMON = 3 << 3;

const format = cString(utf8("%s"));
/** openlog(3) keeps the pointer: the bytes live as long as the program. */
let identity = new Uint8Array(0);

export function openSyslog(name: string): void {
  identity = new Uint8Array(cString(utf8(name)));
  libc.openlog(identity, LOG_PID, LOG_DAEMON);
}

/** One line; a NUL in it would end it. */
export function syslogLine(priority: SyslogPriority, text: string): void {
  libc.syslog(priority, format, cString(utf8(text)));
}
