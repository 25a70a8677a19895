import { parseContentCodings } from "../../content-coding/content-codings.ts";
import type { Compression } from "../../content-coding/create-decoder.ts";
import {
  type BodySource,
  ContentDecodingError,
  decodeBody,
} from "../../content-coding/decode-body.ts";
import { fieldValues } from "../../http/fields.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { Refusal } from "../failure/refusal.ts";

/**
 * Returns the compressions to undo so that values can be found, in the order in
 * which they were applied; none when the bytes are those of the body.
 *
 * @throws {Refusal} 502 for a coding that cannot be undone here: the response
 * could hide a value. What the upstream calls it is repeated only if it is a
 * known name.
 */
export function compressionsOf(head: ResponseHead, host: string): readonly Compression[] {
  const codings = parseContentCodings(fieldValues(head.fields, "content-encoding"));
  if (codings.kind === "identity") return [];
  if (codings.kind === "compressed") return codings.compressions;
  const coding =
    codings.name === undefined ? "a content coding" : `content coding ${codings.name},`;
  throw new Refusal(
    "content_coding_not_supported",
    `${host} responded in ${coding} that cannot be undone here, although none was asked for; it cannot be searched for secret values and is not passed on`,
    { wasAllowed: true },
  );
}

/** Whether the bytes of a body are not those of its text, in whatever coding they are. */
export function isEncoded(head: ResponseHead): boolean {
  return parseContentCodings(fieldValues(head.fields, "content-encoding")).kind !== "identity";
}

/**
 * Decodes a body as it is read.
 *
 * Its `read` throws what the body's does, and a {@link Refusal} for a body
 * that is not in its codings.
 */
export function decodedBody(
  body: BodySource,
  compressions: readonly Compression[],
  host: string,
): BodySource & { close(): Promise<void> } {
  const parts = decodeBody(body, compressions);
  return {
    async read() {
      try {
        const next = await parts.next();
        return next.done === true ? null : [next.value];
      } catch (error) {
        if (!(error instanceof ContentDecodingError)) throw error;
        throw new Refusal(
          "content_coding_invalid",
          `${host} responded with a body that is not valid ${error.compression}, which its Content-Encoding names; it is not passed on`,
          { wasAllowed: true, cause: error },
        );
      }
    },
    async close() {
      await parts.return(undefined);
    },
  };
}
