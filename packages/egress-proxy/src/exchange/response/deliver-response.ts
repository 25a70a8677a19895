import { fieldValues } from "../../http/fields.ts";
import type { RequestHead, ResponseHead } from "../../http/message-heads.ts";
import type { Destination } from "../../upstream/destination.ts";
import { upstreamRefusal } from "../failure/refusal.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import { currentSearch, type Exchange } from "../state/exchange.ts";
import { relayResponse } from "./relay-response.ts";
import type { Responded } from "./response-context.ts";

/**
 * Passes the final response on to the guest, and keeps or closes the upstream
 * connection. Returns whether the guest's connection may carry another request.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function deliverResponse(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { lease, head }: Responded,
): Promise<boolean> {
  const { connection, deps, audit } = exchange;
  try {
    const relayed = relayResponse(
      {
        guest: connection.guest,
        upstream: lease.upstream,
        request,
        host: destination.host,
        audit,
        turns: deps.turns,
        budget: deps.bodyBudgets.of(request.policy.sandboxId),
        decoderBudget: deps.decoderBudgets.of(request.policy.sandboxId),
        measuredBodyBytesMax: deps.options.measuredBodyBytesMax,
        search: currentSearch(exchange, request.policy),
        guestTakesChunked: exchange.head?.minorVersion === 1,
        close: request.guestWantsClose || !isSent(exchange),
        onResponseBegins: () => {
          connection.stage = "responding";
        },
      },
      head,
    );
    const guestMayContinue = typeof relayed === "boolean" ? relayed : await relayed;
    if (lease.upstream.mayContinue && isSent(exchange)) {
      connection.link.keep(request.policy, authenticatesConnection(exchange.head, head));
    } else connection.link.drop();
    return guestMayContinue && isSent(exchange);
  } catch (error) {
    throw upstreamRefusal(error, destination.host);
  }
}

function isSent({ sending, body }: Exchange): boolean {
  return sending?.complete === true && body?.complete === true;
}

/** Schemes that authenticate a connection in place of a request (RFC 4559, and Microsoft's NTLM). */
const connectionScheme = /^(?:negotiate|ntlm)\b/i;

/** Whether an exchange may have given its upstream connection an identity, which no other client must inherit. */
function authenticatesConnection(
  request: RequestHead | undefined,
  response: ResponseHead,
): boolean {
  const credentials = request === undefined ? [] : fieldValues(request.fields, "authorization");
  const challenges = fieldValues(response.fields, "www-authenticate");
  return [...credentials, ...challenges].some((value) => connectionScheme.test(value));
}
