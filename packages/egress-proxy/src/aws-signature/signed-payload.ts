import { AwsSignatureError } from "./aws-signature-error.ts";
import type { SignableRequest } from "./canonical-request.ts";
import { sha256OfNothing } from "./credential-scope.ts";
import type { RequestSignature } from "./request-signature.ts";

/** What of the body a signature covers. */
export type SignedPayload =
  /** This text, which the client states: a hash, or that the body is not signed. */
  | { readonly kind: "stated"; readonly hash: string }
  /** The hash of the body, which the request does not state. */
  | { readonly kind: "body" }
  /** The text in the head, and each chunk by itself. */
  | { readonly kind: "chunks"; readonly hash: string; readonly hasTrailer: boolean };

const hashPattern = /^[0-9a-f]{64}$/;
const unsigned = "UNSIGNED-PAYLOAD";
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const signedChunks = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

/**
 * Finds what of the body is signed. A client need not state it, except to S3.
 *
 * @throws {AwsSignatureError} for a form that cannot be signed again
 */
export function signedPayload(
  request: SignableRequest,
  { place, scope }: RequestSignature,
  hasBody: boolean,
): SignedPayload {
  const stated = request.fields.find(({ lowerName }) => lowerName === "x-amz-content-sha256");
  if (stated === undefined) {
    if (place === "query" && scope.service.startsWith("s3")) {
      return { kind: "stated", hash: unsigned };
    }
    return hasBody ? { kind: "body" } : { kind: "stated", hash: sha256OfNothing };
  }
  const hash = stated.value;
  if (hashPattern.test(hash) || hash === unsigned || hash === unsignedTrailer) {
    return { kind: "stated", hash };
  }
  if (hash === signedChunks) return { kind: "chunks", hash, hasTrailer: false };
  if (hash === `${signedChunks}-TRAILER`) return { kind: "chunks", hash, hasTrailer: true };
  throw new AwsSignatureError(
    `The x-amz-content-sha256 of the request cannot be signed again: expected the SHA-256 of the body, ${unsigned}, ${unsignedTrailer}, ${signedChunks} or ${signedChunks}-TRAILER`,
  );
}
