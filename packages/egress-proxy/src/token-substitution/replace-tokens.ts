import { sealedToken } from "@opencomputer/protocol/wire";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import type { SeenSecrets } from "./seen-secrets.ts";
import type { TokenTable } from "./token-table.ts";
import type { TokenValue } from "./token-value.ts";

/** Most bytes of a head, and of each text in it, with the values of its secrets: they can be much longer than tokens. */
export const substitutedHeadBytesMax = 256 * 1024;

/**
 * Replaces each token of the table in a text of a head by what `replacementOf`
 * returns for it and its position; undefined keeps the token. One byte of a
 * value becomes at most `bytesPerByteMax`.
 *
 * @throws {HttpSyntaxError} `too_large`
 */
export function replaceTokens(
  text: string,
  table: TokenTable,
  seen: SeenSecrets,
  replacementOf: (entry: TokenValue, at: number) => string | undefined,
  bytesPerByteMax = 1,
): string {
  const { prefix, length } = sealedToken;
  let result = "";
  let charged = 0;
  let copiedUpTo = 0;
  let at = text.indexOf(prefix);
  while (at !== -1) {
    const token = text.slice(at, at + length);
    const entry = table.entries.get(token);
    if (entry === undefined && sealedToken.pattern.test(token)) seen.foreignTokens += 1;
    const replacement = entry === undefined ? undefined : replacementOf(entry, at);
    if (entry !== undefined && replacement !== undefined) {
      result += text.slice(copiedUpTo, at) + replacement;
      copiedUpTo = at + length;
      // A limit on the encoded length would reveal which characters a value has.
      charged += entry.valueBytes * bytesPerByteMax;
      if (charged > substitutedHeadBytesMax) throw headTooLarge();
    }
    at = text.indexOf(prefix, at + (entry === undefined ? prefix.length : length));
  }
  return copiedUpTo === 0 ? text : result + text.slice(copiedUpTo);
}

export function headTooLarge(): HttpSyntaxError {
  return new HttpSyntaxError(
    "too_large",
    `with the values of its secrets the head is larger than ${substitutedHeadBytesMax} bytes`,
  );
}
