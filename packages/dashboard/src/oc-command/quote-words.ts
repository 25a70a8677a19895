/** Characters that no POSIX shell gives a meaning to within a word. */
const plainWord = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A command line that a POSIX shell takes apart into exactly these words. `<` and `>` alone stay redirections. */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (word === "<" || word === ">" || plainWord.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
