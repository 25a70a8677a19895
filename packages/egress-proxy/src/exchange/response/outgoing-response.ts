import type { Field } from "../../http/fields.ts";
import { connectionOptions, isHopByHop, upgradeProtocol } from "../../http/hop-by-hop.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import type { OutgoingResponseHead } from "../../http/outgoing-heads.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { ownField, ownFieldLowerName } from "../../token-substitution/withheld-field.ts";

/** How the body is framed for the guest. */
export interface ResponseFraming {
  /** `Content-Length` to give; undefined for none. */
  readonly contentLength: string | undefined;
  readonly chunked: boolean;
  /** Whether the connection ends after this response. */
  readonly close: boolean;
  /** Whether the body is sent decoded, without `Content-Encoding`. */
  readonly decoded: boolean;
}

/** The framing of a response that has no body, and does not announce one. */
export const bodilessFraming: ResponseFraming = {
  contentLength: undefined,
  chunked: false,
  close: false,
  decoded: false,
};

/**
 * Returns the head of a response for the guest. Its values were redacted before
 * it was parsed.
 *
 * An `OpenComputer-Egress` of the upstream is left out: the field is the
 * proxy's, and names the tokens that were sent upstream unchanged.
 */
export function outgoingResponse(
  head: ResponseHead,
  framing: ResponseFraming,
  seen: SeenSecrets,
): OutgoingResponseHead {
  const { status, reason } = head;
  const fields: Field[] = [];
  for (const field of head.fields) {
    const { lowerName } = field;
    if (lowerName === "content-length" || lowerName === ownFieldLowerName) continue;
    if (isHopByHop(lowerName)) continue;
    if (framing.decoded && lowerName === "content-encoding") continue;
    fields.push(field);
  }
  const isFinal = status >= 200 || status === 101;
  const own = isFinal ? ownField(seen) : undefined;
  if (own !== undefined) fields.push(own);
  const { contentLength, chunked, close } = framing;
  const upgrade =
    status === 101 ? upgradeProtocol(head.fields, connectionOptions(head.fields)) : undefined;
  return { status, reason, fields, contentLength, chunked, close, upgrade };
}
