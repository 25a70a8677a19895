import { connectionOptions, isHopByHop, upgradeProtocol } from "../http1/hop-by-hop.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { resealText } from "../substitution/resealer.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { ValueMatcher } from "../substitution/value-matcher.ts";

export interface AnswerHead {
  readonly octets: Buffer;
  readonly head: ResponseHead;
}

/** What the guest is told about the end of the body. */
export interface AnswerFraming {
  /** `Content-Length` to give; undefined for none. */
  readonly contentLength: string | undefined;
  readonly chunked: boolean;
  /** The connection ends after this answer. */
  readonly close: boolean;
  /** The body is sent decoded: `Content-Encoding` goes. */
  readonly decoded: boolean;
}

/**
 * Writes the head of an answer afresh, with tokens in the place of values.
 * Ends with the empty line.
 */
export function answerHeadText(
  answer: AnswerHead,
  framing: AnswerFraming,
  matcher: ValueMatcher | undefined,
  seen: SeenSecrets,
): string {
  const { head } = answer;
  const options = connectionOptions(head.fields);
  const holdsValue = matcher?.find(answer.octets, 0) !== undefined;
  const sealed = (text: string) =>
    holdsValue && matcher !== undefined ? resealText(text, matcher, seen) : text;
  let text = `HTTP/1.1 ${head.status} ${sealed(head.reason)}\r\n`;
  for (const field of head.fields) {
    const { lowerName } = field;
    if (lowerName === "content-length" || isHopByHop(lowerName, options)) continue;
    if (framing.decoded && lowerName === "content-encoding") continue;
    text += `${sealed(field.name)}: ${sealed(field.value)}\r\n`;
  }
  if (framing.contentLength !== undefined) text += `Content-Length: ${framing.contentLength}\r\n`;
  if (framing.chunked) text += "Transfer-Encoding: chunked\r\n";
  if (head.status === 101) {
    const protocol = upgradeProtocol(head.fields, options);
    text += `Upgrade: ${protocol ?? ""}\r\nConnection: Upgrade\r\n`;
  } else if (framing.close) {
    text += "Connection: close\r\n";
  }
  return `${text}\r\n`;
}

/** The framing of an answer that has no body, and does not announce one. */
export const bodilessFraming: AnswerFraming = {
  contentLength: undefined,
  chunked: false,
  close: false,
  decoded: false,
};
