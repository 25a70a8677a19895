import type { RequestHead } from "../../http/message-heads.ts";

/** Fields that ask for a part of a resource, or decide whether a part is sent. */
const partFields = new Set([
  "a-im",
  "if-range",
  "range",
  "request-range",
  "x-goog-range",
  "x-ms-range",
  "x-ms-range-get-content-crc64",
  "x-ms-range-get-content-md5",
  "x-range",
]);

/** S3 and similar stores return one part of an object, as 206, when the query names it. */
const partParameter = /[?&]partnumber=/i;

/**
 * Whether a field of this lower-case name asks for a part. Hosts that may have
 * stored a value are not sent such fields: a part of a value is not recognised
 * in a response, and many parts make a whole.
 */
export function isPartField(lowerName: string): boolean {
  return partFields.has(lowerName);
}

/** Whether the response to a request, sent unchanged, may be a partial one. */
export function asksForPart(head: RequestHead): boolean {
  return (
    head.fields.some(({ lowerName }) => isPartField(lowerName)) || partParameter.test(head.target)
  );
}
