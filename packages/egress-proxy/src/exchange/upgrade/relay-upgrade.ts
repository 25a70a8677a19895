import { fieldValues } from "../../http/fields.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { opensWebSocket } from "../../http/outgoing-heads.ts";
import { webSocketKey } from "../../http/web-socket-key.ts";
import type { ByteChannel } from "../../http1/byte-channel.ts";
import { StreamRedactor } from "../../redaction/stream-redactor.ts";
import type { TokenTable } from "../../token-substitution/token-table.ts";
import { workOfBytes, workOfMessages } from "../../turns/fair-turns.ts";
import type { Destination } from "../../upstream/destination.ts";
import {
  checkWebSocketResponse,
  WebSocketHandshakeError,
} from "../../websocket/check-websocket-response.ts";
import type { MessageTransform } from "../../websocket/frame.ts";
import { WebSocketProtocolError } from "../../websocket/frame.ts";
import { relayWebSocket } from "../../websocket/relay-websocket.ts";
import { Refusal } from "../failure/refusal.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import { bodilessFraming, outgoingResponse } from "../response/outgoing-response.ts";
import type { Responded } from "../response/response-context.ts";
import { currentSearch, type Exchange } from "../state/exchange.ts";
import { presentPolicy } from "../state/present-policy.ts";
import { CollectedBytes } from "./collected-bytes.ts";
import { MessageSubstituter } from "./message-substituter.ts";
import { passBytes } from "./pass-bytes.ts";

/**
 * Passes on a switch of protocols and all that follows it, until the
 * connection ends. WebSocket is searched and substituted; another protocol
 * passes only while the session has no value to search for.
 *
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function relayUpgrade(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { lease, head }: Responded,
): Promise<void> {
  const { connection, audit } = exchange;
  const isWebSocket = opensWebSocket(request.head);
  if (isWebSocket) checkHandshake(exchange, head, destination.host);
  const bytes = { fromGuest: 0, toGuest: 0 };
  exchange.body = undefined;
  audit.status = 101;
  connection.stage = "responding";
  // Silence is no fault from here on: TCP probes find a side that vanished.
  connection.watchdog.allowUnlimited();
  const guest = connection.guest.switchProtocols(
    outgoingResponse(head, bodilessFraming, audit.seen),
  );
  const upstream = lease.upstream.switchProtocols();
  try {
    if (isWebSocket) {
      await passWebSocket(exchange, request, destination, { guest, upstream }, bytes);
    } else {
      const search = currentSearch(exchange, request.policy);
      await passBytes(guest, upstream, bytes, () => search() === undefined);
    }
  } finally {
    audit.requestBytes = bytes.fromGuest;
    audit.responseBytes = bytes.toGuest;
  }
}

/**
 * Refuses a success that switches no protocols, which a guest that speaks HTTP/2
 * would take for an open WebSocket.
 *
 * @throws {Refusal}
 */
export function refuseUnswitched({ connection }: Exchange, head: ResponseHead, host: string): void {
  if (!connection.guest.opensTunnel || head.status < 200 || head.status > 299) return;
  throw new Refusal(
    "websocket_malformed",
    `${host}: The upstream responded with ${head.status} to a request for a WebSocket, and opened none: its response must have status 101`,
    { wasAllowed: true },
  );
}

function checkHandshake(
  { connection, head: request }: Exchange,
  head: ResponseHead,
  host: string,
): void {
  const [key = ""] = fieldValues(request?.fields ?? [], webSocketKey);
  try {
    checkWebSocketResponse(head.fields, connection.guest.opensTunnel ? key : undefined);
  } catch (error) {
    if (!(error instanceof WebSocketHandshakeError)) throw error;
    throw new Refusal("websocket_malformed", `${host}: ${error.message}`, {
      wasAllowed: true,
      cause: error,
    });
  }
}

/**
 * Returns a function that returns the tokens under the present policy: a
 * WebSocket may last for days, and a value that was rotated meanwhile is written
 * into its next messages.
 */
function currentTokens(
  { connection, deps }: Exchange,
  { policy }: OutgoingRequest,
  destination: Destination,
): () => TokenTable {
  return () => {
    const { tokens } = presentPolicy(deps, connection.origin) ?? policy;
    return tokens.forDestination(destination);
  };
}

async function passWebSocket(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { guest, upstream }: { readonly guest: ByteChannel; readonly upstream: ByteChannel },
  bytes: { fromGuest: number; toGuest: number },
): Promise<void> {
  const { connection, audit, deps } = exchange;
  const search = currentSearch(exchange, request.policy);
  const tokens = currentTokens(exchange, request, destination);
  const messages = { fromGuest: 0, toGuest: 0 };
  audit.messages = messages;
  const collected = new CollectedBytes(
    deps.options.measuredBodyBytesMax,
    deps.bodyBudgets.of(request.policy.sandboxId),
  );
  try {
    await relayWebSocket(guest, upstream, {
      bytes,
      messages,
      takeTurn: (arrived, count) =>
        deps.turns.take(
          connection.origin.sandboxId,
          workOfBytes(arrived) + workOfMessages("websocket", count),
        ),
      onClosing: () => connection.watchdog.allowQuiet(deps.options.idleTimeoutSeconds),
      fromGuest: (kind) =>
        watched(
          new StreamRedactor(search, (name) => audit.seen.note("leaked", name)),
          kind === "text" ? new MessageSubstituter(tokens(), audit.seen, collected) : unchanged,
        ),
      toGuest: () => new StreamRedactor(search, (name) => audit.seen.note("redacted", name)),
    });
  } catch (error) {
    // Both sides were sent a close frame with the rule that was broken.
    if (!(error instanceof WebSocketProtocolError)) throw error;
    audit.failed(`the ${error.sender} broke the WebSocket protocol: ${error.rule}`);
  } finally {
    collected.take();
  }
}

const unchanged: MessageTransform = { push: (bytes) => [bytes], end: () => [] };

/** Shows `watch` what the guest sends, and returns what `transform` makes of it. */
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
