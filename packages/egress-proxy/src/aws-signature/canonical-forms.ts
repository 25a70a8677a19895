import { decodeBytes, encodeBytes } from "./percent-encoding.ts";

/** One parameter of a query, as it is on the wire. */
export interface QueryParameter {
  readonly name: string;
  readonly value: string;
}

/** Name of the query parameter that has the signature, which does not cover itself. */
export const signatureParameter = "X-Amz-Signature";

/** How a client writes a target into what it signs. */
export interface CanonicalForm {
  path(path: string): string;
  /** The canonical form of a query, which is without its question mark. */
  query(query: string): string;
}

/**
 * The forms that clients sign a target in. Services differ in how often a path
 * is encoded and whether it is normalized, and clients in whether a query is
 * taken as it is. A client signs in the form that its service verifies, so the
 * form that fits the guest's signature is the one to sign again in. In most requests
 * all of them are equal.
 */
export const canonicalForms: readonly CanonicalForm[] = [
  pathAsSent,
  pathEncodedOnce,
  pathEncodedTwice,
  normalizedPathEncodedTwice,
].flatMap((path) => [
  { path, query: encodedQuery },
  { path, query: queryAsSent },
]);

/**
 * The forms for one target, each with the one that it is made of. Their texts are made
 * once: a guest may make a target long.
 */
export function canonicalFormsOfTarget(): readonly (readonly [CanonicalForm, CanonicalForm])[] {
  const texts = new Map<unknown, string>();
  const once =
    (write: (text: string) => string) =>
    (input: string): string => {
      const known = texts.get(write);
      if (known !== undefined) return known;
      const text = write(input);
      texts.set(write, text);
      return text;
    };
  return canonicalForms.map((form) => [{ path: once(form.path), query: once(form.query) }, form]);
}

/** Splits the query of a target, without its question mark. Empty members are left out. */
export function queryParameters(query: string): QueryParameter[] {
  return query
    .split("&")
    .filter((member) => member !== "")
    .map((member) => {
      const equals = member.indexOf("=");
      return equals === -1
        ? { name: member, value: "" }
        : { name: member.slice(0, equals), value: member.slice(equals + 1) };
    });
}

function pathAsSent(path: string): string {
  return path;
}

function pathEncodedOnce(path: string): string {
  return path.split("/").map(decodeBytes).map(encodeBytes).join("/");
}

function pathEncodedTwice(path: string): string {
  return path.split("/").map(encodeBytes).join("/");
}

/** Without empty and dot segments (RFC 3986 §5.2.4), as all services but S3 verify it. */
function normalizedPathEncodedTwice(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  const end = kept.length > 0 && path.endsWith("/") ? "/" : "";
  return pathEncodedTwice(`/${kept.join("/")}${end}`);
}

function encodedQuery(query: string): string {
  return sorted(
    signedParameters(query).map(({ name, value }) => ({
      name: encodeBytes(decodeBytes(name)),
      value: encodeBytes(decodeBytes(value)),
    })),
  );
}

function queryAsSent(query: string): string {
  return sorted(signedParameters(query));
}

function signedParameters(query: string): QueryParameter[] {
  return queryParameters(query).filter(({ name }) => name !== signatureParameter);
}

function sorted(parameters: readonly QueryParameter[]): string {
  return parameters
    .toSorted((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join("&");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
