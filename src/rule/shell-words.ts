/** Words of a command as a shell would have to be given them: for reading, and for pasting. */
import { latin1, textOrNull } from "../../ffi/bytes.ts";

/** `/bin/echo 'a b' $'\xff'` */
export function shellWords(words: readonly Uint8Array[]): string {
  return words.map(shellWord).join(" ");
}

/** What no shell reads as anything but itself; `a=b` as the first word would set a variable. */
const plain = /^(?!\w*=)[\w%+,./:=@-]+$/;

/** Anything that a terminal, a log line or a reader could take for something else. */
const needsEscapes = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function shellWord(word: Uint8Array): string {
  const text = textOrNull(word);
  if (text === null || needsEscapes.test(text))
    return `$'${latin1(word).replace(special, escapeOne)}'`;
  if (plain.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** In $'...' every byte can be written; letters and digits stay. */
const special = /[^ !-&(-[\]-~]/g;

function escapeOne(char: string): string {
  if (char === "\n") return "\\n";
  if (char === "\t") return "\\t";
  if (char === "'" || char === "\\") return `\\${char}`;
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
