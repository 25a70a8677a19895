import type { Field } from "../http/fields.ts";
import { scopeOf, statedCredentials } from "./request-signature.ts";

/** Whether a request states a signature for S3, whose clients expect errors as XML. Nothing of it has been verified. */
export function isSignedForS3(request: {
  readonly target: string;
  readonly fields: readonly Field[];
}): boolean {
  const { header, query } = statedCredentials(request);
  return [header, query].some(
    (credential) => credential !== undefined && scopeOf(credential)?.service === "s3",
  );
}
