import { sealedToken } from "@opencomputer/protocol";
import type { SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";

/** The secret's value has an octet that no header may hold. Names the secret, never the value. */
export class SecretNotUsableInHeaderError extends Error {
  readonly secretName: string;

  constructor(secretName: string) {
    super(
      `The value of secret ${secretName} holds a line break or another control character, which no HTTP header may hold: set the secret again without it (a trailing newline is the usual cause)`,
    );
    this.name = "SecretNotUsableInHeaderError";
    this.secretName = secretName;
  }
}

/** What the guest sent as Basic credentials, and what went upstream in its place. Both base64. */
export interface SubstitutedCredentials {
  readonly sealed: string;
  readonly sent: string;
  readonly secretNames: readonly string[];
}

const basicPattern = /^(basic +)([A-Za-z0-9+/_-]{16,}={0,2})$/i;

/**
 * Substitutes every usable token in the text of a header value, also inside
 * Basic credentials (RFC 7617). Credentials that changed are added to `credentials`.
 *
 * @throws {SecretNotUsableInHeaderError}
 */
export function substituteHeaderValue(
  value: string,
  table: TokenTable,
  seen: SeenSecrets,
  credentials: SubstitutedCredentials[],
): string {
  if (value.includes(sealedToken.prefix)) return substituteText(value, table, seen, []);
  const [, scheme, encoded] = basicPattern.exec(value) ?? [];
  if (scheme === undefined || encoded === undefined) return value;
  const decoded = Buffer.from(encoded, "base64").toString("latin1");
  if (!decoded.includes(sealedToken.prefix)) return value;
  const secretNames: string[] = [];
  const substituted = substituteText(decoded, table, seen, secretNames);
  if (secretNames.length === 0) return value;
  const sent = Buffer.from(substituted, "latin1").toString("base64");
  credentials.push({ sealed: encoded, sent, secretNames });
  return scheme + sent;
}

/** Notes tokens in a text that is passed on unchanged. */
export function noteWithheldTokens(text: string, table: TokenTable, seen: SeenSecrets): void {
  const { prefix, length } = sealedToken;
  for (let at = text.indexOf(prefix); at !== -1; at = text.indexOf(prefix, at + prefix.length)) {
    const entry = table.entries.get(text.slice(at, at + length));
    if (entry !== undefined) seen.note("withheld", entry.name);
  }
}

function substituteText(
  text: string,
  table: TokenTable,
  seen: SeenSecrets,
  names: string[],
): string {
  const { prefix, length } = sealedToken;
  let result = "";
  let copiedUpTo = 0;
  let at = text.indexOf(prefix);
  while (at !== -1) {
    const entry = table.entries.get(text.slice(at, at + length));
    if (entry?.usable === true) {
      if (entry.headerText === undefined) throw new SecretNotUsableInHeaderError(entry.name);
      seen.note("substituted", entry.name);
      names.push(entry.name);
      result += text.slice(copiedUpTo, at) + entry.headerText;
      copiedUpTo = at + length;
    } else if (entry !== undefined) {
      seen.note("withheld", entry.name);
    }
    at = text.indexOf(prefix, at + (entry === undefined ? prefix.length : length));
  }
  return copiedUpTo === 0 ? text : result + text.slice(copiedUpTo);
}
