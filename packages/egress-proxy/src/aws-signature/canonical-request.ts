import type { Field } from "../http/fields.ts";
import type { CanonicalForm } from "./canonical-forms.ts";
import { algorithm, type CredentialScope, scopeText, sha256 } from "./credential-scope.ts";

/** A request as it is signed: the head of a message, with the fields that the wire frames it by. */
export interface SignableRequest {
  readonly method: string;
  /** In origin form. */
  readonly target: string;
  /** With `Host`, whatever the wire calls it. */
  readonly fields: readonly Field[];
}

/** What of a request a signature covers. */
export interface SignedParts {
  readonly form: CanonicalForm;
  /** Lower-case names. */
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
}

export function canonicalRequest(
  { method, target, fields }: SignableRequest,
  { form, signedHeaders, payloadHash }: SignedParts,
): string {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? "" : target.slice(mark + 1);
  const headers = signedHeaders.map((name) => `${name}:${headerValue(fields, name)}\n`).join("");
  return [
    method,
    form.path(path),
    form.query(query),
    headers,
    signedHeaders.join(";"),
    payloadHash,
  ].join("\n");
}

export function stringToSign(time: string, scope: CredentialScope, canonical: string): string {
  return [algorithm, time, scopeText(scope), sha256(canonical)].join("\n");
}

function headerValue(fields: SignableRequest["fields"], lowerName: string): string {
  return fields
    .filter((field) => field.lowerName === lowerName)
    .map(({ value }) => value.trim().replace(/[ \t]+/g, " "))
    .join(",");
}
