/** Words of Python source, for the source view: enough to colour it, not to run it. */

export type WordKind = "plain" | "keyword" | "string" | "comment" | "number" | "definition";

export interface Word {
  readonly text: string;
  readonly kind: WordKind;
}

const KEYWORDS = new Set(
  "False None True and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try type while with yield".split(
    " ",
  ),
);
/** These are names unless a statement begins with them. */
const SOFT = new Set(["match", "case", "type"]);

const NEXT =
  /(?<comment>#.*)|(?<string>(?:[rbuft]{1,2})?(?:"""|'''|"|'))|(?<number>(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?j?))|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<rest>\s+|.)/iuy;

/** The lines of a file as words. Strings over several lines are followed. */
export function pythonWords(lines: readonly string[]): Word[][] {
  let open: { quote: string; raw: boolean } | null = null;
  return lines.map((line) => {
    const words: Word[] = [];
    let at = 0;
    let before = "";
    const add = (text: string, kind: WordKind) => {
      const last = words.at(-1);
      if (last?.kind === kind) words[words.length - 1] = { text: last.text + text, kind };
      else words.push({ text, kind });
    };
    while (at < line.length) {
      if (open) {
        const end = endOfString(line, at, open.quote);
        add(line.slice(at, end.at), "string");
        at = end.at;
        if (end.closed || open.quote.length === 1) open = null;
        continue;
      }
      NEXT.lastIndex = at;
      const found = NEXT.exec(line);
      const groups = found?.groups;
      if (!found || !groups) break;
      const text = found[0];
      at += text.length;
      if (groups.comment) add(text, "comment");
      else if (groups.string) {
        add(text, "string");
        const quote = text.replace(/^[a-z]*/i, "");
        open = { quote, raw: false };
      } else if (groups.number) add(text, "number");
      else if (groups.name) {
        const starts = words.every((word) => word.text.trim() === "");
        if (before === "def" || before === "class") add(text, "definition");
        else if (KEYWORDS.has(text) && (!SOFT.has(text) || (starts && /^\s+[\w("'[{-]/.test(line.slice(at)))))
          add(text, "keyword");
        else add(text, "plain");
        before = text;
      } else add(text, "plain");
    }
    if (open && open.quote.length === 1) open = null;
    return words;
  });
}

function endOfString(line: string, from: number, quote: string): { at: number; closed: boolean } {
  for (let at = from; at < line.length; at++) {
    if (line[at] === "\\") at++;
    else if (line.startsWith(quote, at)) return { at: at + quote.length, closed: true };
  }
  return { at: line.length, closed: false };
}
