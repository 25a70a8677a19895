import { quoted } from "./text.ts";

/**
 * Where in a request the token of a secret may be replaced by its value.
 *
 * - `header`: every header field that may carry a credential
 * - `header:NAME`: that header field alone
 * - `body`: the whole body
 * - `body:FIELD`: one member of the body: a form field by its name, or a JSON
 *   member by its pointer (RFC 6901), such as `body:client_secret` or `body:/auth/key`
 * - `query`: the query of the URL
 * - `path`: the path of the URL
 */
export type Placement =
  | { readonly kind: "header"; readonly fieldName: string | undefined }
  | { readonly kind: "body"; readonly field: string | undefined }
  | { readonly kind: "query" }
  | { readonly kind: "path" };

/** Thrown for a malformed placement; the message states what is expected. */
export class PlacementError extends Error {
  constructor(text: string, expectation: string) {
    super(`Placement ${quoted(text)} ${expectation}`);
    this.name = "PlacementError";
  }
}

/** Placements of a secret when neither it, its store nor the operator chooses any. */
export const defaultPlacements: readonly string[] = ["header", "body"];

const fieldNamePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const bodyFieldCharactersMax = 256;

/**
 * Parses the text of a placement.
 *
 * @throws {PlacementError}
 */
export function parsePlacement(text: string): Placement {
  const colon = text.indexOf(":");
  const kind = colon === -1 ? text : text.slice(0, colon);
  const detail = colon === -1 ? undefined : text.slice(colon + 1);
  if (kind === "header") return { kind, fieldName: parseFieldName(text, detail) };
  if (kind === "body") return { kind, field: parseBodyField(text, detail) };
  if ((kind === "query" || kind === "path") && detail === undefined) return { kind };
  throw new PlacementError(text, "must be header, header:NAME, body, body:FIELD, query or path");
}

/**
 * The canonical text of a placement: header names in lower case.
 *
 * @throws {PlacementError}
 */
export function normalizePlacement(text: string): string {
  const placement = parsePlacement(text);
  if (placement.kind === "header" && placement.fieldName !== undefined) {
    return `header:${placement.fieldName}`;
  }
  return text;
}

function parseFieldName(text: string, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (fieldNamePattern.test(name)) return name.toLowerCase();
  throw new PlacementError(
    text,
    "must name a header field after header:, such as header:x-api-key",
  );
}

function parseBodyField(text: string, field: string | undefined): string | undefined {
  if (field === undefined) return undefined;
  if (field === "" || field.length > bodyFieldCharactersMax) {
    throw new PlacementError(
      text,
      `must name a form field or a JSON pointer of 1 to ${bodyFieldCharactersMax} characters after body:`,
    );
  }
  if (field.startsWith("/") && /~(?![01])/.test(field)) {
    throw new PlacementError(text, "must be a JSON pointer in which ~ is written ~0 (RFC 6901)");
  }
  if (!/^[^\p{Cc}\p{Surrogate}]*$/u.test(field)) {
    throw new PlacementError(text, "must be well-formed text without control characters");
  }
  return field;
}
