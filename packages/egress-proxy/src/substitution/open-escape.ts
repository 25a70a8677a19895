/** How far back an escape is looked for. */
export const escapeCharactersMax = 48;

/**
 * An escape that lacks its end: percent-encoding; a backslash of JSON,
 * JavaScript, Python or YAML; a numeric character reference of HTML.
 */
const openEscape =
  /%[0-9a-fA-F]?$|\\(?:u[0-9a-fA-F]{0,3}|u\{[0-9a-fA-F]{0,6}|U[0-9a-fA-F]{0,7}|x[0-9a-fA-F]?|[0-7]{0,2})$|&#[xX]?[0-9a-fA-F]{0,8}$/;

/**
 * Whether a text ends inside an escape. Whoever decodes such a text takes the
 * first characters of what follows for the escape's end. A value that follows
 * would be sent back without them, which no search for the value finds, while
 * the decoded character gives them away. No client writes a token there.
 */
export function endsInEscape(before: string): boolean {
  if (!/[%\\#&]/.test(before)) return false;
  const unescaped = before.replace(/%(?:25)+/g, "%").replace(/%5[cC]/g, "\\");
  return openEscape.test(unescaped);
}
