const quotedCharactersMax = 200;

/** A caller's text as an error may quote it: as JSON, and cut where it is long. */
export function quoted(text: string): string {
  return text.length <= quotedCharactersMax
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, quotedCharactersMax))}… (${text.length} characters)`;
}
