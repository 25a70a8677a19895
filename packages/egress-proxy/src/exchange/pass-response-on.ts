import type { Destination } from "../contract.ts";
import type { ByteChannel } from "../http1/byte-channel.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { StreamRedactor } from "../redaction/stream-redactor.ts";
import { BodySubstituter } from "../substitution/body-substituter.ts";
import {
  checkWebSocketResponse,
  WebSocketHandshakeError,
} from "../websocket/check-websocket-response.ts";
import { WebSocketProtocolError } from "../websocket/frame.ts";
import type { MessageTransform } from "../websocket/message-transform.ts";
import { relayWebSocket } from "../websocket/relay-websocket.ts";
import type { Responded } from "./ask-upstream.ts";
import { currentSearch, type Exchange } from "./exchange.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { passBytes } from "./pass-bytes.ts";
import { Refusal, upstreamRefusal } from "./refusal.ts";
import { relayResponse } from "./relay-response.ts";
import { bodilessFraming, responseHeadText } from "./response-head-text.ts";

/**
 * Passes the final response on, or all that follows a switch of protocols, and
 * decides what becomes of the upstream connection. Returns whether the guest's
 * connection may carry another request.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function passResponseOn(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { lease, head }: Responded,
): Promise<boolean> {
  const { connection, deps, audit } = exchange;
  if (head.status === 101) {
    await passUpgrade(exchange, request, destination, lease.channel, head);
    return false;
  }
  try {
    const relayed = await relayResponse(
      {
        guest: connection.guest,
        upstream: lease.channel,
        request,
        host: destination.host,
        audit,
        budget: deps.bodyBudgets.of(request.policy.sandboxId),
        measuredBodyBytesMax: deps.options.measuredBodyBytesMax,
        search: currentSearch(exchange, request.policy),
        guestTakesChunked: exchange.head?.minorVersion === 1,
        close: request.guestWantsClose || !isSent(exchange),
        onResponseBegins: () => {
          connection.canAnswer = false;
        },
      },
      head,
    );
    if (relayed.upstreamMayContinue && isSent(exchange)) connection.link.keep();
    else connection.link.drop();
    return relayed.guestMayContinue && isSent(exchange);
  } catch (error) {
    throw upstreamRefusal(error, destination.host);
  }
}

function isSent({ sending, body }: Exchange): boolean {
  return sending?.complete === true && body?.complete === true;
}

/** Only WebSocket is searched; another protocol is let through as long as there is nothing to search for. */
async function passUpgrade(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  upstream: ByteChannel,
  head: ResponseHead,
): Promise<void> {
  const { connection, audit } = exchange;
  const isWebSocket = request.upgrade?.toLowerCase() === "websocket";
  if (isWebSocket) checkHandshake(head, destination.host);
  const bytes = { fromGuest: 0, toGuest: 0 };
  exchange.body = undefined;
  audit.status = 101;
  connection.canAnswer = false;
  connection.guest.write(responseHeadText(head, bodilessFraming, audit.seen));
  try {
    if (isWebSocket) {
      await passWebSocket(exchange, request, upstream, bytes);
    } else {
      const search = currentSearch(exchange, request.policy);
      await passBytes(connection.guest, upstream, bytes, () => search() === undefined);
    }
  } finally {
    audit.requestBytes = bytes.fromGuest;
    audit.responseBytes = bytes.toGuest;
  }
}

function checkHandshake(head: ResponseHead, host: string): void {
  try {
    checkWebSocketResponse(head.fields);
  } catch (error) {
    if (!(error instanceof WebSocketHandshakeError)) throw error;
    throw new Refusal("websocket_malformed", `${host}: ${error.message}`, {
      wasAllowed: true,
      cause: error,
    });
  }
}

async function passWebSocket(
  exchange: Exchange,
  request: OutgoingRequest,
  upstream: ByteChannel,
  bytes: { fromGuest: number; toGuest: number },
): Promise<void> {
  const { connection, audit } = exchange;
  const search = currentSearch(exchange, request.policy);
  try {
    await relayWebSocket(connection.guest, upstream, {
      bytes,
      fromGuest: (kind) =>
        watched(
          new StreamRedactor(search, (name) => audit.seen.note("leaked", name)),
          kind === "text"
            ? new BodySubstituter(request.tokens, "raw", audit.seen, undefined)
            : unchanged,
        ),
      toGuest: () => new StreamRedactor(search, (name) => audit.seen.note("redacted", name)),
    });
  } catch (error) {
    // The close frame that says what was wrong has been sent to whoever was right.
    if (!(error instanceof WebSocketProtocolError)) throw error;
    audit.failed(`the ${error.sender} broke the WebSocket protocol: ${error.rule}`);
  }
}

const unchanged: MessageTransform = { push: (bytes) => [bytes], end: () => [] };

/** Shows `watch` what the guest sends, and passes on what `transform` makes of it. */
function watched(watch: StreamRedactor, transform: MessageTransform): MessageTransform {
  return {
    *push(bytes) {
      watch.push(bytes);
      yield* transform.push(bytes);
    },
    *end() {
      watch.end();
      yield* transform.end();
    },
  };
}
