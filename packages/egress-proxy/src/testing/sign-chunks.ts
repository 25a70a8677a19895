import { crc32 } from "node:zlib";
import type { S3Client } from "@aws-sdk/client-s3";
import { signingKey } from "../aws-signature/credential-scope.ts";
import { signatureInHeader } from "../aws-signature/request-signature.ts";
import { chunkedBody } from "../aws-signature/testing/chunked-body.ts";
import { fieldOf } from "../http/fields.ts";

/** How a body is signed by chunks. */
export interface ChunkedData {
  /** The data of each chunk, of one character per byte. */
  readonly data: readonly string[];
  readonly hasTrailer: boolean;
  /** Changes the body after it was signed; its length stays. */
  readonly change?: (body: string) => string;
}

/** What the SDK passes from step to step, as these read and change it. */
interface OutgoingMessage {
  readonly headers: Record<string, string>;
  body: unknown;
}

/**
 * Has a client send its bodies signed by chunks, as the SDKs for Java and .NET do: those
 * for JavaScript and Python never do over HTTPS. The head is signed by the SDK.
 */
export function signChunks(
  client: S3Client,
  secretAccessKey: string,
  { data, hasTrailer, change = (body) => body }: ChunkedData,
): void {
  const whole = data.join("");
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(Buffer.from(whole, "latin1")));
  const trailer = `x-amz-checksum-crc32:${checksum.toString("base64")}`;
  const bodyWith = (
    options: Pick<Parameters<typeof chunkedBody>[1], "key" | "seed" | "time" | "scope">,
  ) => chunkedBody(data, { ...options, hasTrailer, trailer });
  const { length } = bodyWith({
    ...{ key: Buffer.alloc(32), seed: "", time: "" },
    scope: { date: "", region: "", service: "" },
  });

  client.middlewareStack.add(
    (next) => async (parameters) => {
      const request = parameters.request as OutgoingMessage;
      Object.assign(request.headers, {
        "x-amz-content-sha256": `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${hasTrailer ? "-TRAILER" : ""}`,
        "x-amz-decoded-content-length": String(whole.length),
        "content-encoding": "aws-chunked",
        "content-length": String(length),
        ...(hasTrailer ? { "x-amz-trailer": "x-amz-checksum-crc32" } : {}),
      });
      return next(parameters);
    },
    { step: "build", name: "statePayload", priority: "low" },
  );
  client.middlewareStack.add(
    (next) => async (parameters) => {
      const request = parameters.request as OutgoingMessage;
      const fields = Object.entries(request.headers).map(([name, value]) => fieldOf(name, value));
      const { scope, time, signature } = signatureInHeader({ method: "PUT", target: "", fields });
      const key = signingKey(secretAccessKey, scope);
      request.body = Buffer.from(change(bodyWith({ key, seed: signature, time, scope })), "latin1");
      return next(parameters);
    },
    { step: "finalizeRequest", name: "signChunks", priority: "low" },
  );
}
