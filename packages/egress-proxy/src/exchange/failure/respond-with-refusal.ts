import type { ErrorBody } from "@opencomputer/protocol/api";
import type { Field } from "../../http/fields.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { ownField } from "../../token-substitution/withheld-field.ts";
import { grpcStatusFields } from "../grpc/grpc-status.ts";
import type { GuestSide } from "../guest/guest-side.ts";
import type { Refusal } from "./refusal.ts";

/** JSON that people can read in a terminal, a status of gRPC, or the XML that clients of S3 read. */
export type RefusalForm = "json" | "grpc" | "s3";

/**
 * Responds in place of the upstream.
 * Returns the bytes of its body.
 */
export function respondWithRefusal(
  guest: GuestSide,
  refusal: Refusal,
  request: {
    readonly method: string | undefined;
    readonly seen: SeenSecrets;
    readonly form: RefusalForm;
    readonly close: boolean;
  },
): number {
  if (request.form === "grpc") {
    guest.sendBodiless(grpcHead(refusal, request.seen));
    return 0;
  }
  const isXml = request.form === "s3";
  const body = Buffer.from(isXml ? xmlOf(refusal) : jsonOf(refusal), "utf8");
  const fields = [isXml ? xmlType : jsonType];
  if (refusal.status === 503) fields.push(retryAfter);
  const own = ownField(request.seen);
  if (own !== undefined) fields.push(own);
  const head = {
    status: refusal.status,
    reason: reasonPhrases[refusal.status] ?? "Error",
    fields,
    contentLength: String(body.length),
    chunked: false,
    close: request.close,
    upgrade: undefined,
  };
  if (request.method === "HEAD") {
    guest.sendBodiless(head);
    return 0;
  }
  guest.sendWhole(head, body);
  return body.length;
}

function jsonOf({ message, code }: Refusal): string {
  const error: ErrorBody = { error: message, code };
  return `${JSON.stringify(error)}\n`;
}

/** As S3 writes its errors. */
function xmlOf({ message, code }: Refusal): string {
  const text = message
    .replace(/[^ -\u{10ffff}]/gu, " ")
    .replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${text}</Message></Error>\n`;
}

/** The response to a gRPC client: its status is in fields, and HTTP's is always 200. */
function grpcHead(refusal: Refusal, seen: SeenSecrets): OutgoingResponseHead {
  const fields: Field[] = [grpcType, ...grpcStatusFields(refusal)];
  const own = ownField(seen);
  if (own !== undefined) fields.push(own);
  return {
    status: 200,
    reason: "OK",
    fields,
    contentLength: "0",
    chunked: false,
    close: true,
    upgrade: undefined,
  };
}

const grpcType: Field = {
  name: "content-type",
  lowerName: "content-type",
  value: "application/grpc",
};

const jsonType: Field = {
  name: "Content-Type",
  lowerName: "content-type",
  value: "application/json",
};

const xmlType: Field = {
  name: "Content-Type",
  lowerName: "content-type",
  value: "application/xml",
};

/** In seconds. */
const retryAfter: Field = { name: "Retry-After", lowerName: "retry-after", value: "1" };

const reasonPhrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};
