import { createHash, createHmac } from "node:crypto";

/** The only algorithm that can be signed again. */
export const algorithm = "AWS4-HMAC-SHA256";

/** What a derived signing key is limited to. */
export interface CredentialScope {
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

const terminator = "aws4_request";
const scopePattern = /^(\d{8})\/([^/]+)\/([^/]+)\/aws4_request$/;

/** Parses what follows the access key id in a credential; undefined when it is not a scope. */
export function parseScope(text: string): CredentialScope | undefined {
  const [, date, region, service] = scopePattern.exec(text) ?? [];
  if (date === undefined || region === undefined || service === undefined) return undefined;
  return { date, region, service };
}

export function scopeText({ date, region, service }: CredentialScope): string {
  return `${date}/${region}/${service}/${terminator}`;
}

/** Derives the key that signs within a scope. */
export function signingKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`, "utf8");
  for (const text of [scope.date, scope.region, scope.service, terminator]) key = hmac(key, text);
  return key;
}

export function signatureOf(key: Buffer, stringToSign: string): string {
  return hmac(key, stringToSign).toString("hex");
}

/** SHA-256 in hexadecimal. A text has one character per byte (latin1), as heads have. */
export function sha256(data: string | Buffer): string {
  const hash = createHash("sha256");
  return (typeof data === "string" ? hash.update(data, "latin1") : hash.update(data)).digest("hex");
}

export const sha256OfNothing = sha256("");

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text, "latin1").digest();
}
