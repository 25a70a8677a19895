import { type AuditLine, limits } from "@opencomputer/protocol";

const listEntriesMax = 64;
/** Where a token was seen: a word and a field's name, which the guest chose. */
const placeBytesMax = 256;
/** How much of the bounds on texts and lists is tried, one after the other. */
const shares = [1, 1 / 4, 1 / 16, 1 / 64];

const encoder = new TextEncoder();

/**
 * An audit line as JSON of at most `limits.auditLineBytesMax` bytes. Whatever
 * a guest or an upstream can make long is cut and says how long it was. A line
 * that is still too long, such as one full of escapes, is cut further.
 */
export function boundedLine(line: AuditLine): string {
  let json = "";
  for (const share of shares) {
    json = JSON.stringify(cutLine(line, share));
    if (Buffer.byteLength(json) <= limits.auditLineBytesMax) break;
  }
  return json;
}

/** The text, or its first bytes in whole characters and how many bytes it had. */
export function cutText(text: string, bytesMax: number): string {
  // No UTF-16 code unit takes more than three bytes of UTF-8.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(bytesMax));
  return `${text.slice(0, read)}…(${bytes} bytes)`;
}

function cutLine(line: AuditLine, share: number): AuditLine {
  const text = (value: string) => cutText(value, limits.auditTextBytesMax * share);
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

/** The first entries of a list, and one that says how many more there were. */
function cutList<Entry>(
  list: readonly Entry[],
  share: number,
  cut: (entry: Entry) => Entry,
  marker: (text: string) => Entry,
): Entry[] {
  const kept = list.slice(0, listEntriesMax * share).map(cut);
  const more = list.length - kept.length;
  return more === 0 ? kept : [...kept, marker(`…(${more} more)`)];
}
