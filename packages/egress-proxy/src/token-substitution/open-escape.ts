/** How far back an escape is searched for. */
export const escapeCharactersMax = 96;

/**
 * An escape that lacks its end: percent-encoding; a backslash of JSON, JavaScript,
 * Python, Perl, YAML, CSS or a regular expression; a numeric character reference of HTML.
 */
const openEscape =
  /%(?:[0-9a-fA-F]?|u[0-9a-fA-F]{0,3})$|\\(?:u[0-9a-fA-F]{0,3}|[ux]\{[0-9a-fA-F]{0,8}|U[0-9a-fA-F]{0,7}|x[0-9a-fA-F]?|[0-9a-fA-F]{0,5}|o\{[0-7]{0,8}|N\{[^}]*|c)$|&#[xX]?[0-9a-fA-F]{0,8}$/;

/**
 * A text that states how it is encoded and has not ended: an encoded word of a message's
 * head (RFC 2047), and a parameter with a charset other than UTF-8 (RFC 8187).
 */
const encodedText = /=\?[^?\s]+\?[qb]\?[^?\s]*$|\*\s*=\s*"?(?!utf-8')[\w.:-]+'[^'\s]*'[^"';\s]*$/i;

/** Escapes of characters that begin an escape: `%`, the backslash, `&` and `#`, and what their own escapes are made of. */
const escapedCharacter =
  /%([0-9a-fA-F]{2})|\\u00([0-9a-fA-F]{2})|\\x([0-9a-fA-F]{2})|&#[xX]0{0,5}([0-9a-fA-F]{2});|&#0{0,5}([0-9]{2,3});|\\(\\)|&(percnt|bsol|amp|num);/g;

const entityCharacters: Readonly<Record<string, string>> = {
  percnt: "%",
  bsol: "\\",
  amp: "&",
  num: "#",
};

/** How often a text is decoded, to find escapes that are written with escapes. */
const roundsMax = 4;

/**
 * Whether a text ends inside an escape or an encoded text, also in an escape that is itself written with
 * escapes. A decoder takes the first characters of what follows for the escape's
 * end. A value that follows would be sent back without them, which no search for
 * the value finds, while the decoded character reveals them. No client writes a
 * token there.
 */
export function endsInEscape(before: string): boolean {
  if (encodedText.test(before)) return true;
  if (!/[%\\#&]/.test(before)) return false;
  let text = before;
  for (let round = 0; round < roundsMax; round += 1) {
    if (openEscape.test(text)) return true;
    const decoded = text.replace(escapedCharacter, decodedCharacter);
    if (decoded === text) return false;
    text = decoded;
  }
  return openEscape.test(text);
}

/**
 * The same for Basic credentials, which servers percent-decode (RFC 6749
 * §2.3.1) and do not decode otherwise: a backslash there is part of a name.
 */
export function endsInPercentEscape(before: string): boolean {
  return endsInEscape(before.replaceAll(/[\\&]/g, "."));
}

/**
 * Whether a text of one character per byte ends in a byte that is not ASCII, also one
 * that is percent-encoded. In a charset such as Shift_JIS, Big5 or GBK it may be the
 * first half of a character, whose second half is then the first character of what follows.
 */
export function endsInWideByte(before: string): boolean {
  return /[\x80-\xff]$|%[89a-fA-F][0-9a-fA-F]$/.test(before);
}

/**
 * Whether a text of one character per byte ends inside a character of UTF-8. Lenient
 * decoders take the next byte into it, whatever it is.
 */
export function endsInsideCharacter(before: string): boolean {
  return /(?:[\xc0-\xff]|[\xe0-\xff][\x80-\xbf]|[\xf0-\xff][\x80-\xbf]{2})$/.test(before);
}

/**
 * Whether a text of a head ends before `at` inside an escape or a character, so that what
 * follows may be read as other characters than it is written in.
 */
export function isMisreadAt(text: string, at: number, endsIn = endsInEscape): boolean {
  const before = text.slice(Math.max(0, at - escapeCharactersMax), at);
  return endsIn(before) || endsInWideByte(before);
}

function decodedCharacter(_escape: string, ...groups: (string | undefined)[]): string {
  const [percent, unicode, hexadecimal, entityHexadecimal, entityDecimal, backslash, name] = groups;
  if (backslash !== undefined) return backslash;
  if (name !== undefined) return entityCharacters[name] ?? "";
  if (entityDecimal !== undefined) return String.fromCharCode(Number(entityDecimal));
  const digits = percent ?? unicode ?? hexadecimal ?? entityHexadecimal ?? "0";
  return String.fromCharCode(Number.parseInt(digits, 16));
}
