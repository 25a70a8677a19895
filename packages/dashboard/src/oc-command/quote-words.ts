/** Characters that no POSIX shell gives a meaning to within a word. */
const plainWord = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * What does not survive being pasted: control characters, which a terminal takes for keys, and
 * those that are invisible or change the direction of the text that a person checks.
 */
const unpasted = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/**
 * A command line that a POSIX shell takes apart into exactly these words, also when it is pasted
 * into a terminal. `<` and `>` alone stay redirections.
 */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (word === "<" || word === ">" || plainWord.test(word)) return word;
  const quoted = word.replaceAll("'", `'\\''`).replace(unpasted, (text) => `'${printed(text)}'`);
  return `'${quoted}'`;
}

/** An expression of the shell for a text, in printable ASCII. */
function printed(text: string): string {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) =>
    byte.toString(8).padStart(3, "0"),
  );
  return `"$(printf '\\${bytes.join("\\")}')"`;
}
