import type { Destination } from "../contract.ts";
import { answerHeadText, bodilessFraming } from "./answer-head.ts";
import type { Answered } from "./ask-upstream.ts";
import type { Exchange } from "./exchange.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { upstreamRefusal } from "./refusal.ts";
import { relayAnswer } from "./relay-answer.ts";
import { tunnel } from "./tunnel.ts";

/**
 * Passes the final answer on, or all that follows a switch of protocols, and
 * settles what becomes of the upstream connection. Answers whether the
 * guest's connection may carry another request.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function passAnswerOn(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { lease, answer }: Answered,
): Promise<boolean> {
  const { connection, deps, audit } = exchange;
  if (answer.head.status === 101) {
    await passTunnel(exchange, request, { lease, answer });
    return false;
  }
  const isSent = () => exchange.sending?.complete === true && exchange.body?.complete === true;
  try {
    const relayed = await relayAnswer(
      {
        guest: connection.guest,
        upstream: lease.channel,
        request,
        host: destination.host,
        audit,
        budget: deps.measuredBodyBudget,
        measuredBodyBytesMax: deps.options.measuredBodyBytesMax,
        guestTakesChunked: exchange.head?.minorVersion === 1,
        close: request.guestWantsClose || !isSent(),
        onAnswerBegins: () => {
          connection.canAnswer = false;
        },
      },
      answer,
    );
    if (relayed.upstreamMayContinue && isSent()) connection.link.keep();
    else connection.link.drop();
    return relayed.guestMayContinue && isSent();
  } catch (error) {
    throw upstreamRefusal(error, destination.host);
  }
}

async function passTunnel(
  exchange: Exchange,
  request: OutgoingRequest,
  { lease, answer }: Answered,
): Promise<void> {
  const { connection, audit } = exchange;
  const octets = { fromGuest: 0, toGuest: 0 };
  exchange.body = undefined;
  audit.status = 101;
  connection.canAnswer = false;
  connection.guest.write(answerHeadText(answer, bodilessFraming, request.matcher, audit.seen));
  try {
    await tunnel(connection.guest, lease.channel, octets);
  } finally {
    audit.requestBytes = octets.fromGuest;
    audit.responseBytes = octets.toGuest;
  }
}
