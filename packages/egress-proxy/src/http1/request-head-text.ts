import type { OutgoingRequestHead } from "../http/outgoing-heads.ts";

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
