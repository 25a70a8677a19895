import type { ErrorBody } from "@opencomputer/protocol";
import type { ByteChannel } from "../http1/byte-channel.ts";
import type { Refusal } from "./refusal.ts";

/**
 * Answers in the upstream's stead: JSON that people can read in a terminal.
 * Returns the octets of its body.
 */
export function answerRefusal(
  guest: ByteChannel,
  refusal: Refusal,
  request: { readonly method: string | undefined; readonly close: boolean },
): number {
  const body: ErrorBody = { error: refusal.message, code: refusal.code };
  const octets = Buffer.from(`${JSON.stringify(body)}\n`, "utf8");
  const head =
    `HTTP/1.1 ${refusal.status} ${reasonPhrases[refusal.status] ?? "Error"}\r\n` +
    "Content-Type: application/json\r\n" +
    `Content-Length: ${octets.length}\r\n` +
    (request.close ? "Connection: close\r\n\r\n" : "\r\n");
  if (request.method === "HEAD") {
    guest.write(head);
    return 0;
  }
  guest.write(Buffer.concat([Buffer.from(head, "latin1"), octets]));
  return octets.length;
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
