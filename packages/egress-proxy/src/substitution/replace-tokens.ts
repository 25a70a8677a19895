import { sealedToken } from "@opencomputer/protocol";
import { HttpSyntaxError } from "../http1/http-syntax-error.ts";
import type { TokenEntry } from "./token-entry.ts";
import type { TokenTable } from "./token-table.ts";

/** Values can be much longer than tokens: what one text of a head, and a head, may grow to. */
export const substitutedHeadBytesMax = 256 * 1024;

/**
 * Writes a text of a head afresh with `replacementOf` in the place of each
 * token of the table, given where it begins; undefined leaves the token. One
 * byte of a value becomes at most `bytesPerByteMax`.
 *
 * @throws {HttpSyntaxError} `too_large`
 */
export function replaceTokens(
  text: string,
  table: TokenTable,
  replacementOf: (entry: TokenEntry, at: number) => string | undefined,
  bytesPerByteMax = 1,
): string {
  const { prefix, length } = sealedToken;
  let result = "";
  let charged = 0;
  let copiedUpTo = 0;
  let at = text.indexOf(prefix);
  while (at !== -1) {
    const entry = table.entries.get(text.slice(at, at + length));
    const replacement = entry === undefined ? undefined : replacementOf(entry, at);
    if (entry !== undefined && replacement !== undefined) {
      result += text.slice(copiedUpTo, at) + replacement;
      copiedUpTo = at + length;
      // A limit that followed from what a value is encoded to would tell which characters it has.
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
