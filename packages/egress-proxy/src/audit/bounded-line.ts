import type { AuditLine } from "@opencomputer/protocol/wire";
import { serviceLimits } from "@opencomputer/protocol/wire";

const listEntriesMax = 64;
/** Bytes of the place of a token: a word and a field's name, which the guest chose. */
export const placeBytesMax = 256;
/** Shares of the bounds on texts and lists that are tried, one after the other. */
const shares = [1, 1 / 4, 1 / 16, 1 / 64];

const encoder = new TextEncoder();

/**
 * Encodes an audit line as JSON of at most `serviceLimits.auditLineBytesMax` bytes.
 * What a guest or an upstream can make long is truncated, with its full length
 * appended. A line that is still too long, such as one full of escapes, is
 * truncated further.
 */
export function boundedLine(line: AuditLine): string {
  return boundedJson(
    serviceLimits.auditLineBytesMax,
    (share) => cutLine(line, share),
    withoutControls,
  );
}

/** Escapes the control characters that JSON permits in a string: people read the lines in a terminal. */
function withoutControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/** Encodes what `cut` returns for the greatest share of the bounds on texts and lists with which it fits. */
export function boundedJson(
  bytesMax: number,
  cut: (share: number) => unknown,
  escaped = (json: string) => json,
): string {
  let json = "";
  for (const share of shares) {
    json = escaped(JSON.stringify(cut(share)));
    if (Buffer.byteLength(json) <= bytesMax) break;
  }
  return json;
}

/** Returns the text, or its first bytes in whole characters and how many bytes it had. */
export function cutText(text: string, bytesMax: number): string {
  // No UTF-16 code unit takes more than three bytes of UTF-8.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(bytesMax));
  return `${text.slice(0, read)}…(${bytes} bytes)`;
}

function cutLine(line: AuditLine, share: number): AuditLine {
  const text = (value: string) => cutText(value, serviceLimits.auditTextBytesMax * share);
  const optional = (value: string | null) => (value === null ? null : text(value));
  const names = (list: readonly string[]) => cutList(list, share, text, (name) => name);
  return {
    ...line,
    sandboxId: optional(line.sandboxId),
    sourceAddress: text(line.sourceAddress),
    host: optional(line.host),
    method: optional(line.method),
    path: optional(line.path),
    reason: optional(line.reason),
    substituted: names(line.substituted),
    withheld: cutList(
      line.withheld,
      share,
      ({ name, place }) => ({ name: text(name), place: cutText(place, placeBytesMax * share) }),
      (place) => ({ name: "…", place }),
    ),
    redacted: names(line.redacted),
    leaked: names(line.leaked),
  };
}

/** Returns the first entries of a list, and one with the number of those left out. */
export function cutList<Entry>(
  list: readonly Entry[],
  share: number,
  cut: (entry: Entry) => Entry,
  marker: (text: string) => Entry,
): Entry[] {
  const kept = list.slice(0, listEntriesMax * share).map(cut);
  const more = list.length - kept.length;
  return more === 0 ? kept : [...kept, marker(`…(${more} more)`)];
}
