/** The examples in a Markdown file and in a help text. */

export interface Block {
  /** What stands behind the opening fence: "sh", "facron", "json". */
  readonly language: string;
  readonly lines: readonly string[];
}

/** The fenced blocks of a Markdown text. */
export function fencedBlocks(markdown: string): Block[] {
  const fences = markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm);
  return [...fences].map(([, language, text]) => ({
    language: language!,
    lines: text!.split("\n").slice(0, -1),
  }));
}

/** What a user types: of the blocks for a shell, what is no output. */
export function commandsIn(blocks: readonly Block[]): string[] {
  const plain = blocks.filter(({ language }) => language === "sh").flatMap(({ lines }) => lines);
  const sessions = blocks.filter(({ language }) => language === "console");
  const typed = sessions.flatMap(({ lines }) => lines.filter((line) => /^[$#] /.test(line)));
  const commands = [...plain, ...typed.map((line) => line.slice(2))];
  return commands.filter((line) => line !== "" && !line.startsWith("#"));
}

/** The indented lines behind "Examples:", up to the first line that is not indented. */
export function commandsInHelp(help: string): string[] {
  const [, section = ""] = /^Examples:\n((?: {2}.*\n)+)/m.exec(help) ?? [];
  return section
    .split("\n")
    .slice(0, -1)
    .map((line) => line.trim());
}

/** Lines of a facron table in a help text: indented, and they begin with a path or a comment. */
export function tableInHelp(help: string): string[] {
  const lines = help.split("\n").map((line) => line.replace(/^ {2}/, ""));
  return lines.filter((line) => /^\/\S+\s+[A-Z_|,]+(\s|$)/.test(line));
}
