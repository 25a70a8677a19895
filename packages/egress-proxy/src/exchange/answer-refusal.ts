import type { ErrorBody } from "@opencomputer/protocol";
import type { ByteChannel } from "../http1/byte-channel.ts";
import type { Refusal } from "./refusal.ts";
import { ownFieldName } from "./response-head-text.ts";

/**
 * Responds in the upstream's stead: JSON that people can read in a terminal.
 * Returns the bytes of its body.
 */
export function answerRefusal(
  guest: ByteChannel,
  refusal: Refusal,
  request: {
    readonly method: string | undefined;
    /** What `OpenComputer-Egress` is to say; undefined for no such field. */
    readonly withheld: string | undefined;
    readonly close: boolean;
  },
): number {
  const body: ErrorBody = { error: refusal.message, code: refusal.code };
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`, "utf8");
  const head =
    `HTTP/1.1 ${refusal.status} ${reasonPhrases[refusal.status] ?? "Error"}\r\n` +
    "Content-Type: application/json\r\n" +
    `Content-Length: ${bytes.length}\r\n` +
    (request.withheld === undefined ? "" : `${ownFieldName}: ${request.withheld}\r\n`) +
    (request.close ? "Connection: close\r\n\r\n" : "\r\n");
  if (request.method === "HEAD") {
    guest.write(head);
    return 0;
  }
  guest.write(Buffer.concat([Buffer.from(head, "latin1"), bytes]));
  return bytes.length;
}

const reasonPhrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  405: "Method Not Allowed",
  408: "Request Timeout",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};
