import type { OutgoingResponseHead } from "../http/outgoing-heads.ts";

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
