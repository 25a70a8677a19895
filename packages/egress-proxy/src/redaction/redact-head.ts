import { redactText, replaceFound } from "./stream-redactor.ts";
import type { ValueSearch } from "./value-search.ts";

/**
 * Replaces values in a head before it is parsed, so that the parser cannot take
 * part of a value for a name or a length. No value is found across lines.
 *
 * A field line whose colon was part of a value would no longer be one: it gets a
 * colon at its end.
 */
export function redactHead(
  head: Buffer,
  search: ValueSearch | undefined,
  onRedacted: (name: string) => void,
): Buffer {
  if (search === undefined) return head;
  const redacted = replaceFound(head, search.findInHead(head), onRedacted);
  return redacted === head ? head : withColons(redacted);
}

/** Replaces values in one field line, such as one of a trailer section. */
export function redactFieldLine(
  line: string,
  search: ValueSearch | undefined,
  onRedacted: (name: string) => void,
): string {
  const redacted = redactText(line, search, onRedacted);
  return redacted === line ? line : withColon(redacted);
}

function withColons(head: Buffer): Buffer {
  const [startLine = "", ...fieldLines] = head.toString("latin1").split("\r\n");
  return Buffer.from([startLine, ...fieldLines.map(withColon)].join("\r\n"), "latin1");
}

function withColon(line: string): string {
  return line === "" || line.includes(":") ? line : `${line}:`;
}
