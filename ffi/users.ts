/** getpwnam(3) and getgrouplist(3): who a user is, as the system's name services have it. */
import { cString, utf8 } from "./bytes.ts";
import { Errno, SyscallError } from "./errno.ts";
import { bytesAt, libc, stringAt } from "./libc.ts";

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All of them, `gid` included. */
  readonly groups: readonly number[];
  readonly home: string;
  readonly shell: string;
}

/** struct passwd of glibc and musl on 64 bits; the same with both. */
export const passwdLayout = {
  pw_name: 0,
  pw_uid: 16,
  pw_gid: 20,
  pw_dir: 32,
  pw_shell: 40,
  size: 48,
} as const;

/**
 * May ask the network (nsswitch.conf(5)), and so take its time.
 *
 * @param nameOrUid a uid in decimal if there is no user of that name
 * @returns null if there is neither
 * @throws {SyscallError} if its groups can't be had
 */
export function findAccount(nameOrUid: string): Account | null {
  if (nameOrUid === "" || nameOrUid.includes("\0")) return null;
  const byName = libc.getpwnam(cString(utf8(nameOrUid)));
  if (byName !== null) return accountAt(byName);
  const isUid = /^\d{1,10}$/.test(nameOrUid) && Number(nameOrUid) < 0xffff_ffff;
  const byUid = isUid ? libc.getpwuid(Number(nameOrUid)) : null;
  return byUid === null ? null : accountAt(byUid);
}

/** struct group of glibc and musl on 64 bits. */
export const groupLayout = { gr_gid: 16, size: 32 } as const;

/** getgrnam(3). @param nameOrGid a gid in decimal if there is no group of that name. @returns null if it is neither */
export function findGroup(nameOrGid: string): number | null {
  if (nameOrGid === "" || nameOrGid.includes("\0")) return null;
  const entry = libc.getgrnam(cString(utf8(nameOrGid)));
  if (entry !== null) {
    const fields = bytesAt(entry, groupLayout.size);
    return new DataView(fields.buffer).getUint32(groupLayout.gr_gid, true);
  }
  const isGid = /^\d{1,10}$/.test(nameOrGid) && Number(nameOrGid) < 0xffff_ffff;
  return isGid ? Number(nameOrGid) : null;
}

/** getpwent(3): the names of all users that can be listed. Name services of a network may not list theirs. */
export function accountNames(): string[] {
  const names: string[] = [];
  libc.setpwent();
  for (let entry = libc.getpwent(); entry !== null; entry = libc.getpwent()) {
    names.push(accountName(entry));
  }
  libc.endpwent();
  return names;
}

type Pointer = NonNullable<ReturnType<typeof libc.getpwent>>;

function accountName(entry: Pointer): string {
  return stringIn(entry, passwdLayout.pw_name);
}

function accountAt(entry: Pointer): Account {
  const fields = bytesAt(entry, passwdLayout.size);
  const numbers = new DataView(fields.buffer, fields.byteOffset);
  const gid = numbers.getUint32(passwdLayout.pw_gid, true);
  const name = accountName(entry);
  return {
    name,
    uid: numbers.getUint32(passwdLayout.pw_uid, true),
    gid,
    home: stringIn(entry, passwdLayout.pw_dir),
    shell: stringIn(entry, passwdLayout.pw_shell),
    groups: groupsOf(name, gid), // last: it may reuse the memory of the entry
  };
}

function stringIn(entry: Pointer, offset: number): string {
  const fields = bytesAt(entry, passwdLayout.size);
  const address = new DataView(fields.buffer, fields.byteOffset).getBigUint64(offset, true);
  return address === 0n ? "" : stringAt(Number(address));
}

/** NGROUPS_MAX (limits.h): the kernel takes no more, so a longer list is no list. */
const groupsMax = 65_536;

/** As initgroups(3) gives them: those that list the user, and `gid`. getgrouplist(3): -1 says that there are more than fit; musl also says so of a file that it can't read. */
export function groupsOf(name: string, gid: number): number[] {
  for (let room = 64; room <= groupsMax; room *= 2) {
    const groups = new Uint32Array(room);
    const count = new Int32Array([room]);
    const found = libc.getgrouplist(cString(utf8(name)), gid, groups, count);
    if (found >= 0) return [...groups.subarray(0, count[0])];
  }
  throw new SyscallError("getgrouplist", Errno.EINVAL);
}
