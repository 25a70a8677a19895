/** As in the output of `oc`: what hides in a text or reverses it. Line breaks, tabs, and what joins letters and emojis stay. */
const hidden = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * A text that a sandbox chose, such as a file's name, as people are to see it: a character that is
 * invisible, or that makes it look like another text, is shown as its escape.
 */
export function visibleText(text: string): string {
  return text.replace(hidden, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
