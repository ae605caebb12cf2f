/** The process events connector: numbers only, as <linux/cn_proc.h>, <linux/connector.h> and netlink(7) have them. */

// socket(2), setsockopt(2); the same on x64 and arm64
export const AF_NETLINK = 16;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUFFORCE = 33;

// netlink(7)
export const NETLINK_CONNECTOR = 11;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NLMSG_DONE = 3;

/** The connector that tells of processes: also the number of its multicast group. */
export const CN_IDX_PROC = 0x1;
export const CN_VAL_PROC = 0x1;

/** enum proc_cn_mcast_op */
export const procConnectorOps = {
  PROC_CN_MCAST_LISTEN: 1,
  PROC_CN_MCAST_IGNORE: 2,
} as const;

/** The `what` of a proc_event; a mask of them is asked for since Linux 6.6. */
export const procEvents = {
  /** The answer to a message of ours. */
  PROC_EVENT_NONE: 0x0000_0000,
  PROC_EVENT_FORK: 0x0000_0001,
  PROC_EVENT_EXEC: 0x0000_0002,
  PROC_EVENT_EXIT: 0x8000_0000,
} as const;

/** struct nlmsghdr */
export const nlmsghdrLayout = {
  ...{ size: 16, nlmsg_len: 0, nlmsg_type: 4, nlmsg_flags: 6, nlmsg_seq: 8, nlmsg_pid: 12 },
} as const;

/** struct cn_msg, behind the nlmsghdr; `idx` and `val` are its `id`. */
export const cnMsgLayout = {
  size: 20,
  idx: 0,
  val: 4,
  seq: 8,
  ack: 12,
  len: 16,
  flags: 18,
} as const;

/** struct proc_event, behind the cn_msg, where it is not aligned to 8. */
export const procEventLayout = {
  what: 0,
  timestamp_ns: 8,
  /** Every event has as much at least. */
  event_data: 16,
  ack_err: 16,
  fork_parent_pid: 16,
  fork_parent_tgid: 20,
  fork_child_pid: 24,
  fork_child_tgid: 28,
  exec_process_tgid: 20,
  exit_process_pid: 16,
  exit_process_tgid: 20,
} as const;
