import type { EscapeSyntax } from "./escapes.ts";

export interface Segment {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the segments of a text that change when its escapes are decoded: the
 * escapes, with `reach` bytes on either side. The text between them does not
 * change, and is searched anyway.
 */
export function escapedSegments(
  syntax: EscapeSyntax,
  source: Uint8Array,
  reach: number,
): Segment[] {
  const segments: { from: number; to: number }[] = [];
  for (let at = firstEscape(syntax, source, 0); at !== -1; ) {
    const from = Math.max(0, at - reach);
    let to = at;
    for (let last = at; last !== -1 && to < source.length; ) {
      const searchedFrom = last + 1;
      to = Math.min(source.length, last + syntax.bytesMax + reach);
      last = lastEscape(syntax, source, searchedFrom, to);
    }
    const previous = segments.at(-1);
    if (previous !== undefined && from <= previous.to) previous.to = to;
    else segments.push({ from, to });
    at = firstEscape(syntax, source, to);
  }
  return segments;
}

function firstEscape(syntax: EscapeSyntax, source: Uint8Array, from: number): number {
  let at = source.indexOf(syntax.introducer, from);
  while (at !== -1 && !mayBeEscape(syntax, source, at)) {
    at = source.indexOf(syntax.introducer, at + 1);
  }
  return at;
}

function lastEscape(syntax: EscapeSyntax, source: Uint8Array, from: number, to: number): number {
  let at = to === 0 ? -1 : source.lastIndexOf(syntax.introducer, to - 1);
  while (at >= from && !mayBeEscape(syntax, source, at)) {
    at = at === 0 ? -1 : source.lastIndexOf(syntax.introducer, at - 1);
  }
  return at >= from ? at : -1;
}

/** Read backwards, the second backslash of a pair does not show that it is one, so it counts as an escape too. */
function mayBeEscape(syntax: EscapeSyntax, source: Uint8Array, at: number): boolean {
  return syntax.read(source, at, source.length) !== 0 || source[at - 1] === syntax.introducer;
}
