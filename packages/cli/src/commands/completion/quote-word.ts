/** A word in single quotes, as POSIX shells read it. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
