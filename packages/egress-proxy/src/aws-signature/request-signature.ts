import { timingSafeEqual } from "node:crypto";
import { fieldValues } from "../http/fields.ts";
import { AwsSignatureError } from "./aws-signature-error.ts";
import { queryParameters } from "./canonical-forms.ts";
import type { SignableRequest } from "./canonical-request.ts";
import { algorithm, type CredentialScope, parseScope } from "./credential-scope.ts";
import { decodeBytes } from "./percent-encoding.ts";
import { signingTime } from "./signing-time.ts";

/** A signature as a request states it. Nothing of it has been verified. */
export interface RequestSignature {
  readonly place: "header" | "query";
  readonly algorithm: string;
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly time: string;
  /** How long a presigned URL is valid. */
  readonly expiresSeconds: number | undefined;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const authorizationPattern = /^(AWS4-[A-Z0-9-]+)\s+(.*)$/;
const signaturePattern = /^[0-9a-f]{64}$/;
const headerNamesPattern = /^[a-z0-9!#$%&'*+\-.^_`|~]+(?:;[a-z0-9!#$%&'*+\-.^_`|~]+)*$/;

type Stated = Pick<SignableRequest, "target" | "fields">;

/**
 * Reads the credential of a request that states a signature of version 4, in a
 * header or in the query; undefined for any other request.
 */
export function statedCredentials(request: Stated): {
  readonly header: string | undefined;
  readonly query: string | undefined;
} {
  const [authorization] = fieldValues(request.fields, "authorization");
  const header =
    authorization === undefined
      ? undefined
      : parseAuthorization(authorization)?.parts.get("Credential");
  if (!request.target.includes("X-Amz-Credential=")) return { header, query: undefined };
  return { header, query: presigned(request)?.get("X-Amz-Credential") };
}

/** The part of a credential before its scope. */
export function accessKeyIdOf(credential: string): string {
  return credential.split("/", 1)[0] ?? "";
}

/** The scope of a credential; undefined when it has none. */
export function scopeOf(credential: string): CredentialScope | undefined {
  return parseScope(credential.slice(accessKeyIdOf(credential).length + 1));
}

/**
 * Reads the signature in the `Authorization` field.
 *
 * @throws {AwsSignatureError} when it is not complete
 */
export function signatureInHeader(request: SignableRequest): RequestSignature {
  const values = fieldValues(request.fields, "authorization");
  const stated = parseAuthorization(values[0] ?? "");
  if (stated === undefined || values.length > 1) {
    throw new AwsSignatureError("A signed request has exactly one Authorization header");
  }
  const [date] = fieldValues(request.fields, "x-amz-date");
  return complete("header", stated.algorithm, {
    credential: stated.parts.get("Credential"),
    time: date ?? fieldValues(request.fields, "date")[0],
    expires: undefined,
    signedHeaders: stated.parts.get("SignedHeaders"),
    signature: stated.parts.get("Signature"),
  });
}

/**
 * Reads the signature of a presigned URL.
 *
 * @throws {AwsSignatureError} when it is not complete
 */
export function signatureInQuery(request: SignableRequest): RequestSignature {
  const parameters = presigned(request);
  if (parameters === undefined) {
    throw new AwsSignatureError("A parameter of the presigned URL is given twice");
  }
  return complete("query", parameters.get("X-Amz-Algorithm") ?? "", {
    credential: parameters.get("X-Amz-Credential"),
    time: parameters.get("X-Amz-Date"),
    expires: parameters.get("X-Amz-Expires"),
    signedHeaders: parameters.get("X-Amz-SignedHeaders"),
    signature: parameters.get("X-Amz-Signature"),
  });
}

interface StatedAuthorization {
  readonly algorithm: string;
  readonly parts: ReadonlyMap<string, string>;
}

function parseAuthorization(value: string): StatedAuthorization | undefined {
  const [, stated, rest] = authorizationPattern.exec(value) ?? [];
  if (stated === undefined || rest === undefined) return undefined;
  const parts = new Map<string, string>();
  for (const part of rest.split(",")) {
    const equals = part.indexOf("=");
    if (equals !== -1) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  return { algorithm: stated, parts };
}

/** The decoded parameters of a presigned URL; undefined when one is given twice. */
function presigned({ target }: Stated): ReadonlyMap<string, string> | undefined {
  const mark = target.indexOf("?");
  const decoded = new Map<string, string>();
  for (const { name, value } of queryParameters(mark === -1 ? "" : target.slice(mark + 1))) {
    if (!name.startsWith("X-Amz-")) continue;
    if (decoded.has(name)) return undefined;
    decoded.set(name, decodeBytes(value));
  }
  return decoded;
}

function complete(
  place: RequestSignature["place"],
  statedAlgorithm: string,
  stated: Record<
    "credential" | "time" | "expires" | "signedHeaders" | "signature",
    string | undefined
  >,
): RequestSignature {
  if (statedAlgorithm !== algorithm) {
    throw new AwsSignatureError(
      `The request is signed with ${statedAlgorithm.slice(0, 64)}, and only ${algorithm} (Signature Version 4) can be signed again: use an endpoint and a client without SigV4a`,
    );
  }
  const scope = scopeOf(stated.credential ?? "");
  const time = signingTime(stated.time ?? "");
  const signedHeaders = stated.signedHeaders ?? "";
  if (stated.credential === undefined || scope === undefined) {
    throw incomplete("its Credential is not of the form KEY/DATE/REGION/SERVICE/aws4_request");
  }
  if (time === undefined) throw incomplete("it has no X-Amz-Date");
  if (!time.startsWith(scope.date)) {
    throw incomplete(`the date of its Credential, ${scope.date}, is not that of ${time}`);
  }
  if (!headerNamesPattern.test(signedHeaders)) {
    throw incomplete("its SignedHeaders are not lower-case names separated by semicolons");
  }
  const names = signedHeaders.split(";");
  if (!names.includes("host")) throw incomplete("it does not sign the host");
  if (new Set(names).size < names.length) throw incomplete("its SignedHeaders name a header twice");
  if (!signaturePattern.test(stated.signature ?? "")) {
    throw incomplete("its Signature is not 64 hexadecimal digits");
  }
  if (place === "query" && !/^\d{1,9}$/.test(stated.expires ?? "")) {
    throw incomplete("its X-Amz-Expires is not a number of seconds");
  }
  return {
    ...{ place, algorithm, scope, time },
    accessKeyId: accessKeyIdOf(stated.credential),
    expiresSeconds: place === "query" ? Number(stated.expires) : undefined,
    signedHeaders: names,
    signature: stated.signature ?? "",
  };
}

function incomplete(what: string): AwsSignatureError {
  return new AwsSignatureError(`The AWS signature of the request cannot be read: ${what}`);
}

/** Whether a member of a query is one that is replaced when a URL is signed again. */
export function isCredentialParameter(member: string): boolean {
  return /^X-Amz-(?:Credential|Signature|Security-Token)(?:=|$)/.test(member);
}

/** Takes as long for every signature of the same length. */
export function isSameSignature(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
