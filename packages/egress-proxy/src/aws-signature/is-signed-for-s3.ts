import { type Field, fieldValues } from "../http/fields.ts";

/** The end of a credential scope (KEY/DATE/REGION/SERVICE/aws4_request), in a header and in a query. */
const inHeader = /^AWS4-[A-Z0-9-]+ .*Credential=[^\s,]+\/s3\/aws4_request/;
const inQuery = /[?&]X-Amz-Credential=[^&]+(?:%2F|\/)s3(?:%2F|\/)aws4_request(?:&|$)/i;

/** Whether a request states a signature for S3, whose clients expect errors as XML. Nothing of it has been verified. */
export function isSignedForS3({
  target,
  fields,
}: {
  readonly target: string;
  readonly fields: readonly Field[];
}): boolean {
  return (
    fieldValues(fields, "authorization").some((value) => inHeader.test(value)) ||
    inQuery.test(target)
  );
}
