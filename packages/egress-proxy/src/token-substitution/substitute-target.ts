import { sealedToken } from "@opencomputer/protocol/wire";
import { isMisreadAt } from "./open-escape.ts";
import { replaceTokens } from "./replace-tokens.ts";
import { SecretNotUsableError } from "./secret-not-usable-error.ts";
import type { SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";
import { hasDotSegment, percentDecoded } from "./token-value.ts";

/** A token whose underscores a client percent-encoded, which is equivalent (RFC 3986 §6.2.2.2). */
const escapedToken = /osb(?:_|%5[Ff])sealed(?:_|%5[Ff])[0-9a-f]{32}/g;

/**
 * Substitutes the tokens in a request's target, in origin form, that may become
 * their values in its path or query, and returns the new target. Values are
 * percent-encoded, so that they stay within their segment or parameter.
 *
 * @throws {SecretNotUsableError}
 * @throws {HttpSyntaxError} `too_large`
 */
export function substituteTarget(target: string, table: TokenTable, seen: SeenSecrets): string {
  const plain = target.includes("%5") ? withPlainTokens(target, table) : target;
  if (!plain.includes(sealedToken.prefix)) return target;
  const mark = plain.indexOf("?");
  const path = mark === -1 ? plain : plain.slice(0, mark);
  const query = mark === -1 ? "" : plain.slice(mark);
  return substitutePath(path, table, seen) + substituteQuery(query, table, seen);
}

/** Most bytes that one byte becomes by percent-encoding. */
const encodedBytesMax = 3;

function withPlainTokens(target: string, table: TokenTable): string {
  return target.replace(escapedToken, (match) => {
    const token = match.replace(/%5f/gi, "_");
    return table.entries.has(token) ? token : match;
  });
}

function substituteQuery(query: string, table: TokenTable, seen: SeenSecrets): string {
  return replaceTokens(
    query,
    table,
    seen,
    (entry, at) => {
      if (!entry.placements.query || isMisreadAt(query, at)) {
        seen.noteWithheld(entry, "query");
        return undefined;
      }
      seen.noteSubstituted(entry.name, "query");
      return entry.queryText();
    },
    encodedBytesMax,
  );
}

/**
 * A refusal depends on the value alone or on the guest's text alone, never on
 * both: a guest that writes dots next to a token learns nothing about the value.
 */
function substitutePath(path: string, table: TokenTable, seen: SeenSecrets): string {
  let checkedUpTo = -1;
  return replaceTokens(
    path,
    table,
    seen,
    (entry, at) => {
      if (!entry.placements.path || isMisreadAt(path, at)) {
        seen.noteWithheld(entry, "path");
        return undefined;
      }
      const text = entry.pathText();
      if (text === undefined) throw new SecretNotUsableError(entry.name, "path");
      if (at > checkedUpTo) {
        const segment = segmentAround(path, at);
        if (hasDotsBesideTokens(segment.text)) throw new SecretNotUsableError(entry.name, "path");
        checkedUpTo = segment.end;
      }
      seen.noteSubstituted(entry.name, "path");
      return text;
    },
    encodedBytesMax,
  );
}

function segmentAround(path: string, at: number): { text: string; end: number } {
  const slash = path.indexOf("/", at);
  const end = slash === -1 ? path.length : slash;
  return { text: path.slice(path.lastIndexOf("/", at) + 1, end), end };
}

/** Whether a segment without its tokens is a dot segment. */
function hasDotsBesideTokens(segment: string): boolean {
  const beside = percentDecoded(segment.replace(/osb_sealed_[0-9a-f]{32}/g, ""));
  return hasDotSegment(beside) || hasDotSegment(percentDecoded(beside));
}
