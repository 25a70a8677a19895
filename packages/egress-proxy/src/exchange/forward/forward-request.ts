import type { IncomingBody } from "../../http/incoming-body.ts";
import { opensWebSocket } from "../../http/outgoing-heads.ts";
import type { Destination } from "../../upstream/destination.ts";
import type { OutgoingRequest } from "../request/prepare-request.ts";
import type { Responded } from "../response/response-context.ts";
import { giveBudgetBack } from "../state/body-reservation.ts";
import { currentSearch, type Exchange } from "../state/exchange.ts";
import type { IdleSecondsMax } from "../upstream/upstream-link.ts";
import { awaitResponse } from "./await-response.ts";
import type { OutgoingBody } from "./outgoing-body.ts";
import { prepareBody, treatmentOf } from "./prepare-body.ts";
import { sendMeasured, sendStreamed } from "./send-request.ts";

/** Methods that may be sent twice without harm (RFC 9110 §9.2.2). */
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

const anyIdleTime: IdleSecondsMax = {
  own: Number.POSITIVE_INFINITY,
  takenOver: Number.POSITIVE_INFINITY,
};
const freshOnly: IdleSecondsMax = { own: -1, takenOver: -1 };

/**
 * Sends the request upstream and awaits the head of its final response. When
 * a reused connection turns out to be closed, a request that may be sent twice
 * and is complete in memory is sent once more on a fresh one.
 *
 * @throws {DialError}
 * @throws {HttpSyntaxError} for the guest's body
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function forwardRequest(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  body: IncomingBody,
): Promise<Responded> {
  const { connection, deps, audit } = exchange;
  const { guest, link, watchdog } = connection;
  const treatment = treatmentOf(exchange, request);
  const isInMemory = treatment === "none" || treatment === "measure";
  const isRepeatable = idempotentMethods.has(request.head.method) && isInMemory;
  let idleSecondsMax: IdleSecondsMax = isRepeatable
    ? anyIdleTime
    : {
        own: deps.options.unrepeatableReuseSeconds,
        takenOver: deps.options.unrepeatableTakeoverSeconds,
      };
  const purpose = opensWebSocket(request.head) ? "websocket" : "exchange";
  let prepared: OutgoingBody | undefined;
  for (;;) {
    const lease =
      link.reuse(request.policy, destination, purpose, idleSecondsMax) ??
      (await link.open(destination, purpose));
    if (treatment !== "none") prepared ??= await prepareBody(exchange, request, treatment, body);
    audit.sentUpstream = true;
    exchange.sending =
      prepared?.kind === "streamed"
        ? sendStreamed(lease.upstream, request, prepared, body, audit.seen)
        : sendMeasured(lease.upstream, request, prepared);
    try {
      const head = await awaitResponse(
        { guest, upstream: lease.upstream, guestTakesInterim: exchange.head?.minorVersion === 1 },
        request,
        {
          host: destination.host,
          seen: audit.seen,
          search: currentSearch(exchange, request.policy),
        },
      );
      if (exchange.sending.complete) giveBudgetBack(exchange);
      return { lease, head };
    } catch (error) {
      const wasIdleClose = lease.reused && !lease.upstream.hasResponded;
      if (!wasIdleClose || !isRepeatable || watchdog.expired || !guest.writable) throw error;
      link.drop();
      idleSecondsMax = freshOnly;
    }
  }
}
