/** Who did it, on its way to the main thread: a few bytes in the trigger of each command. */
import type { ActorFacts } from "../rule/actor.ts";

// A uid as 32 bits, a byte of flags, the length of comm as a byte, comm, then exe up to the end.
const hasUid = 1;
const hasComm = 2;
const hasExe = 4;
const headBytes = 6;

export function packActor({ comm, exe, uid }: ActorFacts): Uint8Array {
  const commLength = comm?.length ?? 0;
  const packed = new Uint8Array(headBytes + commLength + (exe?.length ?? 0));
  new DataView(packed.buffer).setUint32(0, uid ?? 0, true);
  packed[4] =
    (uid === null ? 0 : hasUid) | (comm === null ? 0 : hasComm) | (exe === null ? 0 : hasExe);
  packed[5] = commLength;
  if (comm !== null) packed.set(comm, headBytes);
  if (exe !== null) packed.set(exe, headBytes + commLength);
  return packed;
}

/** @param packed what `packActor` gave; the result holds views of it */
export function unpackActor(packed: Uint8Array): ActorFacts {
  const flags = packed[4]!;
  const commEnd = headBytes + packed[5]!;
  const uid = new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
  return {
    uid: (flags & hasUid) === 0 ? null : uid,
    comm: (flags & hasComm) === 0 ? null : packed.subarray(headBytes, commEnd),
    exe: (flags & hasExe) === 0 ? null : packed.subarray(commEnd),
  };
}
