import type { AwsCredential } from "./aws-credential.ts";
import type { SignableRequest } from "./canonical-request.ts";
import {
  accessKeyIdOf,
  signatureInHeader,
  signatureInQuery,
  statedCredentials,
} from "./request-signature.ts";
import { signedPayload } from "./signed-payload.ts";
import { SignedRequest } from "./signed-request.ts";
import { assertCurrent } from "./signing-time.ts";

/** An AWS secret with the places in which its signatures may be made again at one host. */
export interface UsableAwsCredential {
  readonly credential: AwsCredential;
  /** In the `Authorization` field: under the placement `header`, or `header:authorization`. */
  readonly inHeader: boolean;
  /** In a presigned URL: under the placement `query`. */
  readonly inQuery: boolean;
}

/**
 * Reads a request that is signed with the tokens of one of these credentials,
 * which have the tokens of their access key ids as keys. Undefined for any other
 * request: it is sent with whatever tokens it has as the text that they are.
 *
 * @throws {AwsSignatureError} when the signature cannot be read or is not of the present time
 */
export function readSignedRequest(
  request: SignableRequest,
  credentials: ReadonlyMap<string, UsableAwsCredential>,
  { hasBody, nowMilliseconds }: { hasBody: boolean; nowMilliseconds: number },
): SignedRequest | undefined {
  if (credentials.size === 0) return undefined;
  const { header, query } = statedCredentials(request);
  const ofHeader = header === undefined ? undefined : credentials.get(accessKeyIdOf(header));
  const ofQuery = query === undefined ? undefined : credentials.get(accessKeyIdOf(query));
  const usable = ofHeader?.inHeader === true ? ofHeader : undefined;
  const { credential } = usable ?? (ofQuery?.inQuery === true ? ofQuery : {});
  if (credential === undefined) return undefined;
  const signature = usable === undefined ? signatureInQuery(request) : signatureInHeader(request);
  assertCurrent(signature.time, signature.expiresSeconds, nowMilliseconds);
  return new SignedRequest(
    request,
    signature,
    signedPayload(request, signature, hasBody),
    credential,
  );
}
