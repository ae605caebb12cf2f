/** fanotify(7): numbers only, as <linux/fanotify.h> has them. Every mask bit in use is below 2^32. */

// fanotify_init(2)
export const FAN_CLOEXEC = 0x0000_0001;
export const FAN_NONBLOCK = 0x0000_0002;
export const FAN_CLASS_NOTIF = 0x0000_0000;
export const FAN_CLASS_CONTENT = 0x0000_0004;
export const FAN_CLASS_PRE_CONTENT = 0x0000_0008;
export const FAN_UNLIMITED_QUEUE = 0x0000_0010;
export const FAN_UNLIMITED_MARKS = 0x0000_0020;
export const FAN_ENABLE_AUDIT = 0x0000_0040; // Linux 4.15
export const FAN_REPORT_PIDFD = 0x0000_0080; // Linux 5.15
export const FAN_REPORT_FID = 0x0000_0200; // Linux 5.1
export const FAN_REPORT_DIR_FID = 0x0000_0400; // Linux 5.9
export const FAN_REPORT_NAME = 0x0000_0800; // Linux 5.9
export const FAN_REPORT_TARGET_FID = 0x0000_1000; // Linux 5.17
export const FAN_REPORT_DFID_NAME_TARGET =
  FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID;

// fanotify_mark(2)
export const FAN_MARK_ADD = 0x0000_0001;
export const FAN_MARK_REMOVE = 0x0000_0002;
export const FAN_MARK_DONT_FOLLOW = 0x0000_0004;
export const FAN_MARK_ONLYDIR = 0x0000_0008;
export const FAN_MARK_MOUNT = 0x0000_0010;
export const FAN_MARK_FLUSH = 0x0000_0080;
export const FAN_MARK_FILESYSTEM = 0x0000_0100; // Linux 4.20

// Events
export const FAN_ACCESS = 0x0000_0001;
export const FAN_MODIFY = 0x0000_0002;
export const FAN_ATTRIB = 0x0000_0004; // Linux 5.1, as all of the directory and self events
export const FAN_CLOSE_WRITE = 0x0000_0008;
export const FAN_CLOSE_NOWRITE = 0x0000_0010;
export const FAN_OPEN = 0x0000_0020;
export const FAN_MOVED_FROM = 0x0000_0040;
export const FAN_MOVED_TO = 0x0000_0080;
export const FAN_CREATE = 0x0000_0100;
export const FAN_DELETE = 0x0000_0200;
export const FAN_DELETE_SELF = 0x0000_0400;
export const FAN_MOVE_SELF = 0x0000_0800;
export const FAN_OPEN_EXEC = 0x0000_1000; // Linux 5.0
export const FAN_Q_OVERFLOW = 0x0000_4000;
export const FAN_OPEN_PERM = 0x0001_0000;
export const FAN_ACCESS_PERM = 0x0002_0000;
export const FAN_OPEN_EXEC_PERM = 0x0004_0000; // Linux 5.0
export const FAN_PRE_ACCESS = 0x0010_0000; // Linux 6.14
export const FAN_EVENT_ON_CHILD = 0x0800_0000;
export const FAN_RENAME = 0x1000_0000; // Linux 5.17
export const FAN_ONDIR = 0x4000_0000;

export const FANOTIFY_METADATA_VERSION = 3;
export const FAN_NOFD = -1;
/** The process has ended, or has no number here. */
export const FAN_NOPIDFD = -1;
/** It could not be opened: RLIMIT_NOFILE, most of all. */
export const FAN_EPIDFD = -2;

// Types of information records
export const FAN_EVENT_INFO_TYPE_FID = 1;
export const FAN_EVENT_INFO_TYPE_DFID_NAME = 2;
export const FAN_EVENT_INFO_TYPE_DFID = 3;
export const FAN_EVENT_INFO_TYPE_PIDFD = 4;
export const FAN_EVENT_INFO_TYPE_ERROR = 5;
export const FAN_EVENT_INFO_TYPE_RANGE = 6; // Linux 6.14
export const FAN_EVENT_INFO_TYPE_OLD_DFID_NAME = 10;
export const FAN_EVENT_INFO_TYPE_NEW_DFID_NAME = 12;

/** struct fanotify_event_metadata. */
export const metadataLayout = {
  size: 24,
  event_len: 0,
  vers: 4,
  metadata_len: 6,
  mask: 8,
  fd: 16,
  pid: 20,
} as const;

/** struct fanotify_event_info_header. */
export const infoHeaderLayout = { size: 4, info_type: 0, len: 2 } as const;

/** struct fanotify_event_info_fid and, inside it, struct file_handle; a name may follow the handle. */
export const infoFidLayout = {
  fsid: 4,
  fsidSize: 8,
  handle: 12,
  handle_bytes: 12,
  handle_type: 16,
  f_handle: 20,
} as const;

/** struct file_handle (name_to_handle_at(2)); MAX_HANDLE_SZ bytes of f_handle at most. */
export const fileHandleLayout = { handle_bytes: 0, handle_type: 4, f_handle: 8, max: 128 } as const;

/** struct fanotify_event_info_pidfd. */
export const infoPidfdLayout = { size: 8, pidfd: 4 } as const;

/** The field of struct statfs (statfs(2)) that fanotify reports as fsid: two 32-bit words. */
export const statfsLayout = { size: 120, f_type: 0, f_fsid: 56 } as const;

/** struct fanotify_event_info_range: which part of a file FAN_PRE_ACCESS is about. */
export const infoRangeLayout = { size: 24, offset: 8, count: 16 } as const;

// Answers to permission events
export const FAN_ALLOW = 0x01;
export const FAN_DENY = 0x02;
export const FAN_AUDIT = 0x10; // Linux 4.15
/** FAN_DENY_ERRNO(err) (Linux 6.14) puts the error here, above FAN_DENY. */
export const FAN_ERRNO_SHIFT = 24;

/** struct fanotify_response. */
export const responseLayout = { size: 8, fd: 0, response: 4 } as const;
