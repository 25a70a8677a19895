/** The lines of a text field, without blanks around them and without empty ones. */
export function parseLines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/**
 * The entries of a text field with `KEY=VALUE` in each line. A value is kept as
 * it is, with `=` and blanks.
 *
 * @throws {Error} that names the line without a pair.
 */
export function parsePairs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf("=");
      if (equals < 1)
        throw new Error(`Expected one KEY=VALUE per line, found ${JSON.stringify(line)}`);
      return [line.slice(0, equals).trim(), line.slice(equals + 1)];
    }),
  );
}

/** As {@link parsePairs}, for a command that is shown while the text is typed: what is no entry yet is left out. */
export function pairsSoFar(text: string): Record<string, string> {
  return parsePairs(
    parseLines(text)
      .filter((line) => line.indexOf("=") > 0)
      .join("\n"),
  );
}
