import { sealedToken } from "@opencomputer/protocol/wire";
import type { Field } from "../http/fields.ts";
import { endsInPercentEscape, isMisreadAt } from "./open-escape.ts";
import { replaceTokens } from "./replace-tokens.ts";
import { SecretNotUsableError } from "./secret-not-usable-error.ts";
import { headerPlace, type SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";
import type { TokenValue } from "./token-value.ts";

const basicPattern = /^(basic +)([A-Za-z0-9+/_-]{16,}={0,2})$/i;
/** Longest credentials that are decoded: far more than servers accept, and cheap. */
const basicCharactersMax = 8 * 1024;

/**
 * Substitutes every token in a header field that may become its value there,
 * also inside Basic credentials (RFC 7617), and returns the field's new value.
 *
 * @throws {SecretNotUsableError}
 * @throws {HttpSyntaxError} `too_large`
 */
export function substituteField(field: Field, table: TokenTable, seen: SeenSecrets): string {
  const { value } = field;
  if (value.includes(sealedToken.prefix)) {
    return replaceTokens(value, table, seen, (entry, at) =>
      isMisreadAt(value, at) ? withhold(entry, field, seen) : headerTextOf(entry, field, seen),
    );
  }
  if (value.length > basicCharactersMax || !startsWithB(value)) return value;
  const [, scheme, encoded] = basicPattern.exec(value) ?? [];
  if (scheme === undefined || encoded === undefined) return value;
  const decoded = Buffer.from(encoded, "base64").toString("latin1");
  if (!decoded.includes(sealedToken.prefix)) return value;
  const substituted = replaceTokens(decoded, table, seen, (entry, at) =>
    isMisreadAt(decoded, at, endsInPercentEscape)
      ? withhold(entry, field, seen)
      : headerTextOf(entry, field, seen),
  );
  if (substituted === decoded) return value;
  return scheme + Buffer.from(substituted, "latin1").toString("base64");
}

/** Rules out most values cheaply before the regular expression for Basic credentials. */
function startsWithB(value: string): boolean {
  return (value.charCodeAt(0) | 0x20) === 0x62;
}

/** Notes the tokens in the trailers of a request. They are not substituted: no client sends a credential after a body. */
export function noteTrailers(
  trailers: readonly Field[],
  table: TokenTable,
  seen: SeenSecrets,
): void {
  for (const { value } of trailers) {
    replaceTokens(value, table, seen, (entry) => {
      seen.noteWithheld(entry, "trailer");
      return undefined;
    });
  }
}

function headerTextOf(entry: TokenValue, field: Field, seen: SeenSecrets): string | undefined {
  if (!entry.placements.header(field.lowerName)) return withhold(entry, field, seen);
  const text = entry.headerText();
  if (text === undefined) throw new SecretNotUsableError(entry.name, "header");
  seen.noteSubstituted(entry.name, headerPlace(field.lowerName));
  return text;
}

function withhold(entry: TokenValue, field: Field, seen: SeenSecrets): undefined {
  seen.noteWithheld(entry, headerPlace(field.lowerName));
  return undefined;
}
