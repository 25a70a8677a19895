import { redactText, replaceFound } from "./stream-redactor.ts";
import type { FoundValue, ValueSearch } from "./value-search.ts";

const carriageReturn = 0x0d;
/** A byte that no head may hold and no form of a value has. */
const lineSeparator = 0x01;

/**
 * Replaces values in a head that has not been parsed yet, so that no parser
 * takes a part of one for a name or a length. No value is found across lines.
 *
 * A field line whose colon was part of a value would be none any more: it
 * gets a colon at its end.
 */
export function redactHead(
  head: Buffer,
  search: ValueSearch | undefined,
  onRedacted: (name: string) => void,
): Buffer {
  if (search === undefined) return head;
  const redacted = replaceFound(head, findInHead(head, search), onRedacted);
  return redacted === head ? head : withColons(redacted);
}

/** The values that stand in a head, each inside of one line. */
export function findInHead(head: Buffer, search: ValueSearch): FoundValue[] {
  const separated = Buffer.from(head);
  for (let at = separated.indexOf(carriageReturn); at !== -1; ) {
    separated[at] = lineSeparator;
    if (at + 1 < separated.length) separated[at + 1] = lineSeparator;
    at = separated.indexOf(carriageReturn, at + 1);
  }
  return search.find(separated);
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
