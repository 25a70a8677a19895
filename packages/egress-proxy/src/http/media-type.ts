import { trimWhitespace } from "./fields.ts";

/** The type and subtype of a `Content-Type`, in lower case, whatever its parameters are. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** A charset that a recipient of a `Content-Type` may read in it. */
export interface StatedCharset {
  /** Without quotes and what they escape. Undefined when it is encoded (RFC 2231), which some recipients decode. */
  readonly name: string | undefined;
  /** Whether every recipient reads this name: it is the value of a parameter as RFC 9110 has them, without escapes. */
  readonly isCertain: boolean;
}

/**
 * The charsets that recipients may read in a `Content-Type`, one for each time that the word is in
 * it: that of a parameter (RFC 9110 §5.6.6, §8.3.1), repeated or not, and what a recipient may take
 * for one that ignores quotes and semicolons, or allows comments. They differ in these, and a
 * sender can choose the spelling that only its recipient understands.
 */
export function statedCharsets(contentType: string): StatedCharset[] {
  const words = [...contentType.matchAll(/charset/gi)];
  if (words.length === 0) return [];
  const parameters = new Map(
    mediaTypeParameters(contentType)
      .filter(({ name }) => name === "charset")
      .map(({ nameAt, value }) => [nameAt, value]),
  );
  return words.map(({ index }) => {
    const value = parameters.get(index);
    const isCertain = value !== undefined && !/[\s"'\\]/.test(value);
    const name = isCertain ? value : leniently(contentType, index);
    return { name, isCertain };
  });
}

interface MediaTypeParameter {
  /** In lower case. */
  readonly name: string;
  readonly nameAt: number;
  /** What is between the quotes, with its escapes; or a token. */
  readonly value: string;
}

/** What is between two semicolons that are not quoted. */
const pieces = /(?:[^";]|"(?:[^"\\]|\\.)*")*/y;
const parameterPattern = /^([^\s";=]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))$/;

/** The well-formed parameters of a media type. What follows a quote without an end is none. */
function mediaTypeParameters(contentType: string): MediaTypeParameter[] {
  const parameters: MediaTypeParameter[] = [];
  for (let at = contentType.indexOf(";"); at !== -1 && at < contentType.length; ) {
    pieces.lastIndex = at + 1;
    const [piece = ""] = pieces.exec(contentType) ?? [];
    const end = at + 1 + piece.length;
    if (end < contentType.length && contentType[end] !== ";") return parameters;
    const match = parameterPattern.exec(trimWhitespace(piece));
    if (match !== null) {
      const [, name = "", quoted, token = ""] = match;
      const nameAt = at + 1 + piece.indexOf(name);
      parameters.push({ name: name.toLowerCase(), nameAt, value: quoted ?? token });
    }
    at = end;
  }
  return parameters;
}

/** More than any name has: each of many words is read for so long at most. */
const lenientCharset = /^charset([^=;]{0,64})=[\s"']{0,64}((?:\\.|[^\s"';,\\]){0,64})/i;
const lenientCharactersMax = 256;

/** Reads the name behind the word `charset` as the most lenient recipient does. */
function leniently(contentType: string, at: number): string | undefined {
  const match = lenientCharset.exec(contentType.slice(at, at + lenientCharactersMax));
  if (match?.[1]?.includes("*")) return undefined;
  return match?.[2]?.replaceAll("\\", "") ?? "";
}
