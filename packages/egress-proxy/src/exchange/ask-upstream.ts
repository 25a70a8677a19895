import type { Destination } from "../contract.ts";
import type { BodyReader } from "../http1/body-reader.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { awaitResponse } from "./await-response.ts";
import { currentSearch, type Exchange } from "./exchange.ts";
import { measureBody } from "./measure-body.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { type MeasuredBody, sendMeasured, sendStreamed } from "./send-request.ts";
import type { UpstreamLease } from "./upstream-link.ts";

/** Methods that may be sent twice without harm (RFC 9110 §9.2.2). */
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** A request that went out, with the head of its final response. */
export interface Responded {
  readonly lease: UpstreamLease;
  readonly head: ResponseHead;
}

/**
 * Sends the request and awaits the head of its final response. When a kept
 * connection proves to have been closed meanwhile, a request that may be sent
 * twice, and of which everything is at hand, is sent once more on a fresh one.
 *
 * @throws {DialError}
 * @throws {HttpSyntaxError} for the guest's body
 * @throws {ChannelLostError}
 * @throws {Refusal} for what the upstream sent
 */
export async function askUpstream(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  body: BodyReader,
): Promise<Responded> {
  const { connection, deps, audit } = exchange;
  const { guest, link, watchdog } = connection;
  const measures = reserveMeasured(exchange, request);
  const streams = request.framing.kind !== "none" && !measures;
  const isRepeatable = idempotentMethods.has(request.method) && !streams;
  let idleSecondsMax = isRepeatable
    ? Number.POSITIVE_INFINITY
    : deps.options.unrepeatableReuseSeconds;
  let measured: MeasuredBody | undefined;
  for (;;) {
    const lease = link.reuse(destination, idleSecondsMax) ?? (await link.open(destination));
    if (measures) measured ??= await measureBody(guest, request, body, audit.seen);
    audit.sentUpstream = true;
    const receivedBefore = lease.channel.received;
    exchange.sending = streams
      ? sendStreamed(lease.channel, request, body, audit.seen, exchange.reservedBytes)
      : sendMeasured(lease.channel, request, measured);
    try {
      const head = await awaitResponse(
        { guest, upstream: lease.channel, guestTakesInterim: exchange.head?.minorVersion === 1 },
        request,
        {
          host: destination.host,
          seen: audit.seen,
          search: currentSearch(exchange, request.policy),
        },
      );
      return { lease, head };
    } catch (error) {
      const wasIdleClose = lease.reused && lease.channel.received === receivedBefore;
      if (!wasIdleClose || !isRepeatable || watchdog.expired || !guest.writable) throw error;
      link.drop();
      idleSecondsMax = -1;
    }
  }
}

/**
 * Whether the body will be collected, so that its length after substitution
 * is known. Takes from the budget too for a chunked body whose members are
 * edited: it is collected while it is sent.
 */
function reserveMeasured(exchange: Exchange, request: OutgoingRequest): boolean {
  const { bodyBudgets, options } = exchange.deps;
  const { framing } = request;
  if (!request.changesBody && !request.editsBodyMembers) return false;
  let length = 0;
  if (framing.kind === "length") length = framing.length;
  else if (request.editsBodyMembers) length = options.measuredBodyBytesMax;
  if (length > options.measuredBodyBytesMax) return false;
  if (!bodyBudgets.of(request.policy.sandboxId).tryTake(length)) return false;
  exchange.reservedBytes = length;
  return framing.kind === "length";
}
