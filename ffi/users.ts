/** getpwnam(3) and getgrouplist(3): who a user is, as the system's name services have it. */
import { cString, utf8 } from "./bytes.ts";
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

/** @param nameOrUid a uid in decimal if there is no user of that name; null if there is neither */
export function findAccount(nameOrUid: string): Account | null {
  if (nameOrUid === "" || nameOrUid.includes("\0")) return null;
  const byName = libc.getpwnam(cString(utf8(nameOrUid)));
  if (byName !== null) return accountAt(byName);
  const isUid = /^\d{1,10}$/.test(nameOrUid) && Number(nameOrUid) < 0xffff_ffff;
  const byUid = isUid ? libc.getpwuid(Number(nameOrUid)) : null;
  return byUid === null ? null : accountAt(byUid);
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

/** getgrouplist(3): -1 says that there are more than fit, and how many. */
function groupsOf(name: string, gid: number): number[] {
  const count = new Int32Array([64]);
  for (;;) {
    const room = count[0]!;
    const groups = new Uint32Array(room);
    const found = libc.getgrouplist(cString(utf8(name)), gid, groups, count);
    if (found >= 0) return [...groups.subarray(0, count[0])];
    // musl and glibc write the number that is needed; never less than before.
    count[0] = Math.max(count[0]!, room * 2);
  }
}
