import { serviceLimits } from "../limits.ts";
import { guessBits } from "./guess-bits.ts";

/**
 * Returns the parts of a secret value that are searched for in responses. None
 * means that the value can be guessed: if it were searched for, a guest could
 * have a host send it all likely values, and see which one becomes a token.
 *
 * A part has at least `serviceLimits.searchedValueBytesMin` bytes of UTF-8 and, by
 * {@link guessBits}, `serviceLimits.searchedValueBitsMin` bits, or is the id of an AWS access key. A value of several
 * lines (PEM) is searched for by line; a URL or DSN, JSON, `id:secret` and
 * `name=value;…` by component. Where no component is strong enough, the whole
 * value is taken if it is. What is longer than
 * `serviceLimits.searchedPartCharactersMax` is searched for in pieces that overlap.
 */
export function searchedParts(value: string): string[] {
  const strong = componentsOf(value, 0).filter(isSearchable);
  return [...new Set(strong.flatMap(piecesOf))];
}

const pieceOverlapCharacters = 16;
const lastPieceCharacters = 64;

/** Splits a long part into pieces that are searched for separately, so that little of a stream is buffered. */
function piecesOf(part: string): string[] {
  const charactersMax = serviceLimits.searchedPartCharactersMax;
  if (part.length <= charactersMax) return [part];
  const pieces: string[] = [];
  for (let from = 0; from + pieceOverlapCharacters < part.length; ) {
    const to = characterBoundary(part, Math.min(part.length, from + charactersMax));
    // The last piece is no shorter than it has to be to be strong.
    const start = to === part.length ? Math.min(from, to - lastPieceCharacters) : from;
    pieces.push(part.slice(characterBoundary(part, start), to));
    from = characterBoundary(part, to - pieceOverlapCharacters);
  }
  return pieces.filter(isSearchable);
}

/** The same place, or the one before it where it would part a surrogate pair. */
function characterBoundary(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at;
}

const componentDepthMax = 8;
const utf8 = new TextEncoder();
/** The id of an AWS access key, which is drawn at random but often reads as words: capitals and a few digits. */
const awsAccessKeyId = /^A[KS]IA[A-Z2-7]{16}$/;

function isSearchable(part: string): boolean {
  if (awsAccessKeyId.test(part)) return true;
  return (
    utf8.encode(part).length >= serviceLimits.searchedValueBytesMin &&
    guessBits(part) >= serviceLimits.searchedValueBitsMin
  );
}

/** Components inside of components, down to those that have none; never line breaks. */
function componentsOf(value: string, depth: number): string[] {
  const text = value.trim();
  const split = depth < componentDepthMax ? splitOnce(text) : undefined;
  if (split === undefined) return text === "" ? [] : [text];
  const inner = split.flatMap((part) => componentsOf(part, depth + 1));
  // What is strong only as a whole is searched for as a whole.
  if (inner.some(isSearchable) || /[\r\n]/.test(text)) return inner;
  return [text];
}

function splitOnce(text: string): string[] | undefined {
  const json = jsonStrings(text);
  if (json !== undefined) return json;
  if (/[\r\n]/.test(text)) return text.split(/[\r\n]+/).filter((line) => !isArmorLine(line));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return urlComponents(text);
  if (/^[^=;\s]+=[^;]*(?:;[^=;]+=[^;]*)+;?$/.test(text)) {
    return text.split(";").map((pair) => pair.slice(pair.indexOf("=") + 1));
  }
  const colon = text.indexOf(":");
  return colon > 0 && colon < text.length - 1
    ? [text.slice(0, colon), text.slice(colon + 1)]
    : undefined;
}

/** The strings that a JSON object or array holds; undefined for anything else. */
function jsonStrings(text: string): string[] | undefined {
  if (!/^[[{]/.test(text)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // It only begins like JSON.
    return undefined;
  }
  const strings: string[] = [];
  const queue: unknown[] = [parsed];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (typeof next === "string") strings.push(next);
    else if (typeof next === "object" && next !== null) queue.push(...Object.values(next));
  }
  return strings;
}

/** Everything between the separators of a URL, as it is written and as it reads. */
function urlComponents(text: string): string[] {
  const written = text.slice(text.indexOf("://") + 3).split(/[/?#&=@:]/);
  const read = written.filter((part) => part.includes("%")).map(percentDecoded);
  return [...written, ...read].filter((part) => part !== "");
}

function percentDecoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // It holds a percent sign that begins no escape.
    return part;
  }
}

/** The first and last line of a PEM block state only its kind. */
function isArmorLine(line: string): boolean {
  return /^-----(?:BEGIN|END) [A-Z0-9 ]+-----$/.test(line.trim());
}
