import { connectionOptions, isHopByHop, upgradeProtocol } from "../http1/hop-by-hop.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { withheldField } from "../substitution/withheld-field.ts";

/** The field by which the proxy itself tells the guest something. */
export const ownFieldName = "OpenComputer-Egress";
const ownFieldLowerName = ownFieldName.toLowerCase();

/** How the end of the body is shown to the guest. */
export interface OutgoingFraming {
  /** `Content-Length` to give; undefined for none. */
  readonly contentLength: string | undefined;
  readonly chunked: boolean;
  /** The connection ends after this response. */
  readonly close: boolean;
  /** The body is sent decoded: `Content-Encoding` is left out. */
  readonly decoded: boolean;
}

/** The framing of a response that has no body, and does not announce one. */
export const bodilessFraming: OutgoingFraming = {
  contentLength: undefined,
  chunked: false,
  close: false,
  decoded: false,
};

/**
 * Writes the head of a response afresh; its values have been redacted before
 * it was parsed. Ends with the empty line.
 *
 * An upstream's own `OpenComputer-Egress` is left out: the field is the
 * proxy's, and names the tokens that went upstream as they are.
 */
export function responseHeadText(
  head: ResponseHead,
  framing: OutgoingFraming,
  seen: SeenSecrets,
): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
  for (const { lowerName, name, value } of head.fields) {
    if (lowerName === "content-length" || lowerName === ownFieldLowerName) continue;
    if (isHopByHop(lowerName)) continue;
    if (framing.decoded && lowerName === "content-encoding") continue;
    text += `${name}: ${value}\r\n`;
  }
  const withheld = head.status >= 200 || head.status === 101 ? withheldField(seen) : undefined;
  if (withheld !== undefined) text += `${ownFieldName}: ${withheld}\r\n`;
  if (framing.contentLength !== undefined) text += `Content-Length: ${framing.contentLength}\r\n`;
  if (framing.chunked) text += "Transfer-Encoding: chunked\r\n";
  if (head.status === 101) {
    const protocol = upgradeProtocol(head.fields, connectionOptions(head.fields));
    text += `Upgrade: ${protocol ?? ""}\r\nConnection: Upgrade\r\n`;
  } else if (framing.close) {
    text += "Connection: close\r\n";
  }
  return `${text}\r\n`;
}
