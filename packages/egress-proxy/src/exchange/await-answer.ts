import type { ByteChannel } from "../http1/byte-channel.ts";
import { readHead } from "../http1/head-reader.ts";
import { parseResponseHead } from "../http1/response-head.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { type AnswerHead, answerHeadText, bodilessFraming } from "./answer-head.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { Refusal, upstreamClosed, upstreamRefusal } from "./refusal.ts";

const interimAnswersMax = 64;

/**
 * Reads heads from the upstream until the final one and passes the interim
 * ones (100, 102, 103) on to the guest (RFC 9110 §15.2). 101 is final here.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for a malformed head, when the upstream ends, sends
 * interim answers without end, or switches protocols unasked
 */
export async function awaitAnswer(
  sides: {
    readonly guest: ByteChannel;
    readonly upstream: ByteChannel;
    readonly guestTakesInterim: boolean;
  },
  request: OutgoingRequest,
  host: string,
  seen: SeenSecrets,
): Promise<AnswerHead> {
  for (let interim = 0; interim <= interimAnswersMax; interim += 1) {
    let answer: AnswerHead;
    try {
      answer = parseAnswerHead(await readHead(sides.upstream), host);
    } catch (error) {
      throw upstreamRefusal(error, host);
    }
    const { status } = answer.head;
    if (status === 101 && request.upgrade === undefined) {
      throw malformedAnswer(`${host} switched protocols without being asked`);
    }
    if (status >= 200 || status === 101) return answer;
    if (sides.guestTakesInterim) {
      const text = answerHeadText(answer, bodilessFraming, request.matcher, seen);
      const blocked = sides.guest.write(text);
      if (blocked !== undefined) await blocked;
    }
  }
  throw malformedAnswer(`${host} sent more than ${interimAnswersMax} interim answers`);
}

function parseAnswerHead(octets: Buffer | null, host: string): AnswerHead {
  if (octets === null) throw upstreamClosed(host);
  return { octets, head: parseResponseHead(octets) };
}

function malformedAnswer(message: string): Refusal {
  return new Refusal("upstream_malformed", message, { wasAllowed: true });
}
