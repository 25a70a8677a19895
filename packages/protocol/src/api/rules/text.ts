const utf8 = new TextEncoder();

/** Length of a text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return utf8.encode(text).length;
}

/** Text that a database can store: no NUL, and no half of a surrogate pair. */
export const storableTextPattern = /^[^\0\p{Surrogate}]*$/u;

/** A text as a database can store it: U+FFFD replaces NUL and halves of surrogate pairs. */
export function toStorableText(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, "\u{fffd}");
}

const quotedCharactersMax = 200;

/** A caller's text as an error message quotes it: as JSON, shortened where it is long. */
export function quoted(text: string): string {
  return text.length <= quotedCharactersMax
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, quotedCharactersMax))}… (${text.length} characters)`;
}
