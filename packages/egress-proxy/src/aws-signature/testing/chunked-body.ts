import { createHash } from "node:crypto";
import { type CredentialScope, scopeText, signatureOf } from "../credential-scope.ts";

/** Signs a body by chunks, as a client of S3 does. */
export function chunkedBody(
  data: readonly string[],
  options: {
    readonly seed: string;
    readonly key: Buffer;
    readonly time: string;
    readonly scope: CredentialScope;
    readonly hasTrailer: boolean;
    /** `name:value` of the one trailer. */
    readonly trailer?: string;
  },
): string {
  const { key, time, scope, hasTrailer, trailer = "x-amz-checksum-crc32c:sOO8/Q==" } = options;
  let previous = options.seed;
  const next = (kind: string, covered: readonly string[]) => {
    const text = [`AWS4-HMAC-SHA256-${kind}`, time, scopeText(scope), previous, ...covered];
    previous = signatureOf(key, text.join("\n"));
    return previous;
  };
  let body = "";
  for (const part of [...data, ""]) {
    const signature = next("PAYLOAD", [sha256(""), sha256(part)]);
    body += `${part.length.toString(16)};chunk-signature=${signature}\r\n`;
    if (part !== "") body += `${part}\r\n`;
  }
  if (hasTrailer) {
    body += `${trailer}\r\nx-amz-trailer-signature:${next("TRAILER", [sha256(`${trailer}\n`)])}\r\n`;
  }
  return `${body}\r\n`;
}

/** The same bytes in chunks of HTTP, which end at other places. */
export function chunked(body: string): string {
  const chunks = body.match(/.{1,999}/gs) ?? [];
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}
