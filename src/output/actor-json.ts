/** Who did it, as a JSON line has it: `,"comm":"cp","exe":"/usr/bin/cp","uid":0`, made once for each process. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { escaped } from "./json-text.ts";

/** What is not known is left out. What is not UTF-8 is readable, and exact in a field of its own. */
export function actorJson(actor: {
  readonly comm: Uint8Array | null;
  readonly exe: Uint8Array | null;
  readonly uid: number | null;
}): Uint8Array {
  const pieces = [
    ...(actor.comm === null ? [] : textField("comm", actor.comm)),
    ...(actor.exe === null ? [] : textField("exe", actor.exe)),
    ...(actor.uid === null ? [] : [utf8(`,"uid":${actor.uid}`)]),
  ];
  return new Uint8Array(Buffer.concat(pieces));
}

function textField(name: string, bytes: Uint8Array): Uint8Array[] {
  const { json, isUtf8 } = escaped(bytes);
  const field = [utf8(`,"${name}":"`), json, utf8('"')];
  return isUtf8 ? field : [...field, utf8(`,"${name}_bytes":"${btoa(latin1(bytes))}"`)];
}
