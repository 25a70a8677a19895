import type { ByteChannel } from "../http1/byte-channel.ts";
import { readHead } from "../http1/head-reader.ts";
import { parseResponseHead } from "../http1/response-head.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import { type AnswerHead, answerHeadText, bodilessFraming } from "./answer-head.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { Refusal, upstreamClosed } from "./refusal.ts";

const interimAnswersMax = 64;

/**
 * Reads heads from the upstream until the final one and passes the interim
 * ones (100, 102, 103) on to the guest (RFC 9110 §15.2). 101 is final here.
 *
 * @throws {HttpSyntaxError} for a malformed head
 * @throws {ChannelLostError}
 * @throws {Refusal} when the upstream ends, sends interim answers without end,
 * or switches protocols unasked
 */
export async function awaitAnswer(
  guest: ByteChannel,
  upstream: ByteChannel,
  request: OutgoingRequest,
  guestTakesInterim: boolean,
  host: string,
  seen: SeenSecrets,
): Promise<AnswerHead> {
  for (let interim = 0; interim <= interimAnswersMax; interim += 1) {
    const octets = await readHead(upstream);
    if (octets === null) throw upstreamClosed(host);
    const answer = { octets, head: parseResponseHead(octets) };
    if (answer.head.status === 101 && request.upgrade === undefined) {
      throw new Refusal("upstream_malformed", `${host} switched protocols without being asked`, {
        wasAllowed: true,
      });
    }
    if (answer.head.status >= 200 || answer.head.status === 101) return answer;
    if (guestTakesInterim) {
      const blocked = guest.write(answerHeadText(answer, bodilessFraming, request.matcher, seen));
      if (blocked !== undefined) await blocked;
    }
  }
  throw new Refusal(
    "upstream_malformed",
    `${host} sent more than ${interimAnswersMax} interim answers`,
    {
      wasAllowed: true,
    },
  );
}
