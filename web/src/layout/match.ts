/** Finding things by typing a part of their name. */

/**
 * How well `text` answers `typed`: higher is better, null is not at all. Every word of `typed`
 * must occur; the start of the text, then the start of a word, then anywhere.
 */
export function matchScore(typed: string, text: string): number | null {
  const low = text.toLowerCase();
  let score = 0;
  for (const word of typed.toLowerCase().split(/\s+/)) {
    if (word === "") continue;
    const at = low.indexOf(word);
    if (at >= 0)
      score +=
        (at === 0 ? 30 : /[\s_./<]/.test(low[at - 1] ?? "") ? 20 : 10) + word.length - low.length / 200;
    else if (isSubsequence(word, low)) score += 1 - low.length / 200;
    else return null;
  }
  return score;
}

function isSubsequence(part: string, whole: string): boolean {
  if (part.length < 3) return false;
  let at = 0;
  for (const letter of whole) if (letter === part[at]) at++;
  return at >= part.length;
}

/** The best `limit` of `all`, best first; equal ones keep their order. */
export function best<T>(typed: string, all: readonly T[], text: (one: T) => string, limit: number): T[] {
  if (typed.trim() === "") return all.slice(0, limit);
  const scored: { one: T; score: number; at: number }[] = [];
  all.forEach((one, at) => {
    const score = matchScore(typed, text(one));
    if (score !== null) scored.push({ one, score, at });
  });
  scored.sort((a, b) => b.score - a.score || a.at - b.at);
  return scored.slice(0, limit).map(({ one }) => one);
}
