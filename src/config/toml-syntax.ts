/** TOML that is none: the parser says what is wrong, the scan says where. */
import { quoted } from "../log.ts";

/** What Bun's parser says, and what we say. */
const sentences: readonly [RegExp, (...found: string[]) => string][] = [
  [/^Missing value/, () => 'Missing value: write one behind "=", a text in quotes'],
  [/^Unterminated string/, () => "Missing closing quote: add it where the text ends"],
  [
    /^Expected ',' or '\]' in an array/,
    () => 'Missing "," or "]" in this list: separate the values with commas, and close it',
  ],
  [
    /^Expected ',' or '\}' in an inline table/,
    () => 'Missing "," or "}" in this table: separate the pairs with commas, and close it',
  ],
  [
    /^Cannot redefine key '(.*)'/,
    (key) => `Key ${quoted(key!)} is there already: remove one of the two`,
  ],
  [
    /^Cannot redefine table '(.*)'/,
    (table) => `Table [${table}] is there already: put all of its keys under one`,
  ],
  [
    /^Expected a value/,
    () => 'Missing quotes: a path or any other text stands in them, e.g. "/srv/in"',
  ],
  [/^Expected '\]/, () => "Missing closing bracket: a table begins with [[rule]] or [facron]"],
  [
    /^Control character/,
    () => "Unexpected control character: remove it, or write it as \\u and four digits",
  ],
  [/^Strings must be quoted: "(.*)"/, (word) => `Missing quotes: write "${word}"`],
  [
    /^Leading zeros/,
    () => "Unexpected zero: a number does not begin with one; a text needs quotes",
  ],
  [
    /^Invalid escape sequence/,
    () =>
      String.raw`Unknown escape: write \\ for a backslash, or put the text in single quotes, where nothing is escaped`,
  ],
  [/^Expected '=' after a key/, () => 'Missing "=" behind the key: a line is KEY = VALUE'],
  [
    /^Expected a newline/,
    () => "Unexpected text behind the value: one key in each line; a text needs quotes",
  ],
];

/** @param message of the SyntaxError that Bun.TOML.parse throws */
export function syntaxMessage(message: string): string {
  const said = message.replace(/^TOML Parse error: /, "");
  for (const [pattern, sentence] of sentences) {
    const match = pattern.exec(said);
    if (match !== null) return sentence(...match.slice(1));
  }
  const plain = said.replace(/[.\s]+$/, "").replaceAll("\n", " ");
  return `Cannot read this as TOML: ${plain.charAt(0).toLowerCase()}${plain.slice(1)}; correct it`;
}
