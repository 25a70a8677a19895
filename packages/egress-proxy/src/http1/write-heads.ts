import type { OutgoingRequestHead, OutgoingResponseHead } from "../http/outgoing-heads.ts";

/** Writes the request line and the fields of a request, each with its CRLF, without the final empty line. */
export function requestHeadText(head: OutgoingRequestHead): string {
  let text = `${head.method} ${head.target} HTTP/1.1\r\nHost: ${head.host}\r\n`;
  for (const { name, value } of head.fields) text += `${name}: ${value}\r\n`;
  return text + connectionLines(head);
}

function connectionLines({ takesTrailers, upgrade }: OutgoingRequestHead): string {
  if (!takesTrailers && upgrade === undefined) return "";
  const options = [takesTrailers ? "TE" : "", upgrade === undefined ? "" : "Upgrade"];
  return (
    (takesTrailers ? "TE: trailers\r\n" : "") +
    (upgrade === undefined ? "" : `Upgrade: ${upgrade}\r\n`) +
    `Connection: ${options.filter(Boolean).join(", ")}\r\n`
  );
}

/** Writes the head of a response with its final empty line. */
export function responseHeadText(head: OutgoingResponseHead): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
  for (const { name, value } of head.fields) text += `${name}: ${value}\r\n`;
  if (head.contentLength !== undefined) text += `Content-Length: ${head.contentLength}\r\n`;
  if (head.chunked) text += "Transfer-Encoding: chunked\r\n";
  if (head.status === 101) {
    text += `Upgrade: ${head.upgrade ?? ""}\r\nConnection: Upgrade\r\n`;
  } else if (head.close) {
    text += "Connection: close\r\n";
  }
  return `${text}\r\n`;
}
