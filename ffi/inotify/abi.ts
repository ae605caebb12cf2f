/** inotify(7): numbers only, as <sys/inotify.h> has them. */

export const IN_CLOEXEC = 0o2000000;
export const IN_NONBLOCK = 0o4000;

export const IN_ACCESS = 0x0000_0001;
export const IN_MODIFY = 0x0000_0002;
export const IN_ATTRIB = 0x0000_0004;
export const IN_CLOSE_WRITE = 0x0000_0008;
export const IN_CLOSE_NOWRITE = 0x0000_0010;
export const IN_OPEN = 0x0000_0020;
export const IN_MOVED_FROM = 0x0000_0040;
export const IN_MOVED_TO = 0x0000_0080;
export const IN_CREATE = 0x0000_0100;
export const IN_DELETE = 0x0000_0200;
export const IN_DELETE_SELF = 0x0000_0400;
export const IN_MOVE_SELF = 0x0000_0800;

export const IN_UNMOUNT = 0x0000_2000;
export const IN_Q_OVERFLOW = 0x0000_4000;
export const IN_IGNORED = 0x0000_8000;

export const IN_ONLYDIR = 0x0100_0000;
export const IN_DONT_FOLLOW = 0x0200_0000;
export const IN_EXCL_UNLINK = 0x0400_0000;
export const IN_MASK_CREATE = 0x1000_0000;
export const IN_MASK_ADD = 0x2000_0000;
export const IN_ISDIR = 0x4000_0000;
export const IN_ONESHOT = 0x8000_0000;

/** struct inotify_event: the name, NUL-padded to `len`, follows the header. */
export const inotifyEventLayout = { size: 16, wd: 0, mask: 4, cookie: 8, len: 12 } as const;
