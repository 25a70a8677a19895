/**
 * Returns whether a JSON text has at most `valuesMax` arrays, objects, elements and members. A parsed
 * value takes up to thirty times as much memory as its text (`{},{},…`), and a second of
 * CPU time for each few megabytes of it: who parses the text of an untrusted sender limits both.
 */
export function hasAtMostJsonValues(text: string, valuesMax: number): boolean {
  let valueCount = 1;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index);
        break;
      case comma:
      case openingBracket:
      case openingBrace:
        valueCount += 1;
        if (valueCount > valuesMax) return false;
    }
  }
  return true;
}

const quote = 0x22;
const comma = 0x2c;
const openingBracket = 0x5b;
const backslash = 0x5c;
const openingBrace = 0x7b;

/** The index of the quote that ends the string; the end of the text when none does. */
function endOfString(text: string, start: number): number {
  for (let end = start; ; ) {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}
