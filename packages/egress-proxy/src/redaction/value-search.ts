import { searchedParts } from "@opencomputer/protocol/wire";
import { allEscapes, backslashEscapes, type Decoding, syntaxes } from "./all-escapes.ts";
import type { BlockScanner } from "./block-scanner.ts";
import { escapedSegments } from "./escaped-segments.ts";
import { backslashSyntax, escapedPlaces, readEscaped } from "./escapes.ts";
import {
  type Base64Edges,
  base64Index,
  type Needle,
  needleBytesMin,
  needlesOf,
  type SharedCharacter,
} from "./needles.ts";
import { buildPatternTables, type PatternTable } from "./pattern-table.ts";
import { inTokenForms, inTokenFormsOfLine, type ReleaseClass, releaseClassOf } from "./release.ts";
import { readSeparated, separatedPlaces, separatedRuns } from "./separated-digits.ts";
import { type Places, plainPlaces, readPlain, type View } from "./view.ts";

/** A value that is searched for, and the token that replaces it. */
export interface SearchedValue {
  readonly name: string;
  readonly token: string;
  readonly value: string;
}

interface SearchedPart {
  readonly part: string;
  readonly owner: SearchedValue;
}

/** The position of a complete form of a value. */
export interface FoundValue {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly token: string;
}

/**
 * Length of the longest recognised spelling of one byte: a numeric entity with
 * seven hexadecimal digits.
 */
const bytesPerByteMax = 11;
const tailBytesMargin = 32;

/**
 * The search for a sandbox's values. What it finds depends only on the values
 * that occur completely; what it costs depends on the text alone.
 */
export class ValueSearch {
  /**
   * Length that no form of a value exceeds in the original text. It follows from
   * the length of the longest part, rounded up to a power of two so that it reveals
   * little about it.
   */
  readonly tailBytes: number;
  readonly releaseClass: ReleaseClass;
  readonly #scanner: BlockScanner;
  readonly #parts: readonly SearchedPart[];
  readonly #shortestPartBytes: number;
  #patterns: Patterns | undefined;

  constructor(scanner: BlockScanner, parts: readonly SearchedPart[]) {
    this.#scanner = scanner;
    this.#parts = parts;
    let longest = 0;
    let shortest = Number.POSITIVE_INFINITY;
    for (const { part } of parts) {
      const bytes = Buffer.byteLength(part);
      longest = Math.max(longest, bytes);
      shortest = Math.min(shortest, bytes);
    }
    this.#shortestPartBytes = shortest;
    this.tailBytes = 2 ** Math.ceil(Math.log2(longest * bytesPerByteMax + tailBytesMargin));
    this.releaseClass = releaseClassOf(parts.map(({ part }) => part));
  }

  /** Returns every position of a complete form of a value, in the order of their beginnings. */
  find(text: Uint8Array): readonly FoundValue[] {
    if (text.length < needleBytesMin) return noneFound;
    const found =
      this.releaseClass === "token"
        ? this.#findInCondensed(text, inTokenForms)
        : this.#findIn(text);
    return this.#withSeparated(text, found);
  }

  /** The same for the head of a message, where no form extends across lines. */
  findInHead(head: Buffer): readonly FoundValue[] {
    if (head.length < needleBytesMin) return noneFound;
    const found =
      this.releaseClass === "token"
        ? this.#findInCondensed(head, inTokenFormsOfLine)
        : this.#findIn(withSeparatedLines(head));
    return this.#withSeparated(head, found);
  }

  #findInCondensed(text: Uint8Array, inForms: Uint8Array): FoundValue[] {
    const { condensed } = this.#scanner;
    const bytes = condensed.read(text, inForms, this.#allPatterns().bytesMin);
    if (bytes.length === 0) return [];
    return this.#findIn(bytes).map(({ start, end, name, token }) => ({
      start: condensed.placeOf(start),
      end: condensed.placeOf(end - 1) + 1,
      name,
      token,
    }));
  }

  #allPatterns(): Patterns {
    this.#patterns ??= buildPatterns(this.#scanner, this.#parts);
    return this.#patterns;
  }

  #findIn(bytes: Uint8Array): FoundValue[] {
    const patterns = this.#allPatterns();
    const found: FoundValue[] = [];
    const [plain, decoded] = this.#scanner.views;
    readPlain(bytes, plain);
    this.#scan(patterns, plain, () => plainPlaces(bytes), found);
    let mayHoldInner = false;
    for (const syntax of syntaxes) {
      if (!bytes.includes(syntax.introducer)) continue;
      for (const { from, to } of escapedSegments(syntax, bytes, this.tailBytes)) {
        if (readEscaped(syntax, bytes, from, to, decoded)) mayHoldInner = true;
        const places = once(() => escapedPlaces(syntax, bytes, from, to, undefined));
        this.#scan(patterns, decoded, places, found);
        if (syntax === backslashSyntax) {
          this.#scanInner(patterns, backslashEscapes, places, found);
        }
      }
    }
    if (!mayHoldInner) return found;
    for (const { from, to } of allEscapes.segments(bytes, this.tailBytes)) {
      allEscapes.read(bytes, from, to, decoded);
      const places = once(() => allEscapes.places(bytes, from, to, undefined));
      this.#scanInner(patterns, allEscapes, places, found);
    }
    return found;
  }

  /** Adds the forms in hexadecimal whose bytes are separated, and sorts all by their beginnings. */
  #withSeparated(bytes: Uint8Array, found: FoundValue[]): readonly FoundValue[] {
    const patterns = this.#allPatterns();
    const [, decoded] = this.#scanner.views;
    for (const run of separatedRuns(bytes, this.#shortestPartBytes)) {
      readSeparated(bytes, run, decoded);
      const places = once(() => separatedPlaces(bytes, run));
      this.#scan(patterns, decoded, places, found);
      this.#scanInner(patterns, allEscapes, places, found);
    }
    return inOrder(found);
  }

  /** Scans what was decoded once with its escapes decoded again. */
  #scanInner(
    patterns: Patterns,
    decoding: Decoding,
    places: () => Places,
    found: FoundValue[],
  ): void {
    const [, decoded, decodedTwice] = this.#scanner.views;
    const bytes = decoded.bytes.subarray(0, decoded.length);
    for (const { from, to } of decoding.segments(bytes, this.tailBytes)) {
      decoding.read(bytes, from, to, decodedTwice);
      const placesTwice = () => decoding.places(bytes, from, to, places());
      this.#scan(patterns, decodedTwice, placesTwice, found);
    }
  }

  #scan(patterns: Patterns, view: View, places: () => Places, found: FoundValue[]): void {
    const placesOnce = once(places);
    this.#scanner.scan(view, patterns.tables, (index, start) => {
      const needle = patterns.needles[index];
      if (needle === undefined) return;
      const end = start + needle.bytes.length;
      if (start < 0 || end > view.length) return;
      const { before, after } = needle.edges ?? noEdges;
      if (!continues(view, start - 1, before) || !continues(view, end, after)) return;
      this.#scanner.work.comparedBytes += needle.bytes.length;
      if (needle.bytes.compare(view.bytes, start, end) !== 0) return;
      const first = before === undefined ? start : start - 1;
      const last = after === undefined ? end - 1 : end;
      const { starts, ends } = placesOnce();
      const { name, token } = needle.owner;
      found.push({ start: starts[first] ?? 0, end: ends[last] ?? 0, name, token });
    });
  }
}

const noneFound: readonly FoundValue[] = [];

/** Sorts finds by their beginnings. */
function inOrder(found: FoundValue[]): readonly FoundValue[] {
  return found.length < 2 ? found : found.sort((a, b) => a.start - b.start || b.end - a.end);
}

const carriageReturn = 0x0d;
/** A byte that no head and no form of a value may have. */
const lineSeparator = 0x01;

function withSeparatedLines(head: Buffer): Buffer {
  const separated = Buffer.from(head);
  for (let at = separated.indexOf(carriageReturn); at !== -1; ) {
    separated[at] = lineSeparator;
    if (at + 1 < separated.length) separated[at + 1] = lineSeparator;
    at = separated.indexOf(carriageReturn, at + 1);
  }
  return separated;
}

/** Defers the computation of positions until something is found, and does it once. */
function once<Result>(make: () => Result): () => Result {
  let made: Result | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

interface Patterns {
  readonly needles: readonly (Needle & { readonly owner: SearchedValue })[];
  readonly tables: readonly PatternTable[];
  /** Length of the shortest needle. It follows from the lengths of the parts. */
  readonly bytesMin: number;
}

const noEdges: Base64Edges = { before: undefined, after: undefined };

function buildPatterns(scanner: BlockScanner, parts: readonly SearchedPart[]): Patterns {
  const needles: (Needle & { owner: SearchedValue })[] = [];
  for (const { part, owner } of parts) {
    for (const needle of needlesOf(part)) needles.push({ ...needle, owner });
  }
  const tables = buildPatternTables(
    needles.map(({ bytes }) => bytes),
    scanner.keys,
    parts.some(({ part }) => mayShareEveryBlock(part)) ? 2 : 1,
  );
  let bytesMin = Number.POSITIVE_INFINITY;
  for (const { bytes } of needles) bytesMin = Math.min(bytesMin, bytes.length);
  return { needles, tables, bytesMin };
}

/** Length of the shortest needle that has two complete blocks at any position. */
const twoBlocksBytes = 23;
/** Length of the longest part whose base64 is shorter than that. */
const shortBase64BytesMax = 17;

/**
 * Whether two forms of a part of this length and class may have their only
 * complete block in common: base64 and base64url, or a space and a plus sign. A
 * second table must not reveal whether those of this part do.
 */
function mayShareEveryBlock(part: string): boolean {
  const bytes = Buffer.byteLength(part);
  return (
    bytes <= shortBase64BytesMax || (bytes < twoBlocksBytes && releaseClassOf([part]) === "text")
  );
}

/** Whether the character at the edge of a base64 needle has the value's bits. */
function continues(view: View, at: number, shared: SharedCharacter | undefined): boolean {
  if (shared === undefined) return true;
  if (at < 0 || at >= view.length) return false;
  const index = base64Index(view.bytes[at] ?? 0);
  return index !== undefined && (index & shared.mask) === shared.bits;
}

/**
 * Creates the search for these values; undefined when none of them has a part
 * that is searched for. A part that several values share belongs to the first.
 */
export function createValueSearch(
  scanner: BlockScanner,
  values: readonly SearchedValue[],
): ValueSearch | undefined {
  const parts = new Map<string, SearchedPart>();
  for (const owner of values) {
    for (const part of searchedParts(owner.value)) {
      if (!parts.has(part)) parts.set(part, { part, owner });
    }
  }
  return parts.size === 0 ? undefined : new ValueSearch(scanner, [...parts.values()]);
}
