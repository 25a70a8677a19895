import type { Destination, SessionPolicy } from "../contract.ts";
import { BodyReader } from "../http1/body-reader.ts";
import { ChannelLostError } from "../http1/byte-channel.ts";
import { readHead } from "../http1/head-reader.ts";
import { connectionOptions } from "../http1/hop-by-hop.ts";
import { HttpSyntaxError } from "../http1/http-syntax-error.ts";
import { type Framing, requestFraming } from "../http1/message-framing.ts";
import { parseRequestHead, type RequestHead } from "../http1/request-head.ts";
import { type AnswerHead, answerHeadText, bodilessFraming } from "./answer-head.ts";
import { answerRefusal } from "./answer-refusal.ts";
import { AuditRecord } from "./audit-record.ts";
import { awaitAnswer } from "./await-answer.ts";
import { checkHost } from "./check-host.ts";
import { measureBody } from "./measure-body.ts";
import { type OutgoingRequest, prepareRequest } from "./outgoing-request.ts";
import {
  Refusal,
  type RefusalCode,
  refusalFrom,
  upstreamClosed,
  upstreamRefusal,
} from "./refusal.ts";
import { relayAnswer } from "./relay-answer.ts";
import { type MeasuredBody, type Sending, sendMeasured, sendStreamed } from "./send-request.ts";
import type { ExchangeDependencies, ServedConnection } from "./served-connection.ts";
import { tunnel } from "./tunnel.ts";
import type { UpstreamLease } from "./upstream-link.ts";

/** Methods that may be sent twice without harm (RFC 9110 §9.2.2). */
const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** After these the guest's connection is closed in any case: what follows on it is in doubt. */
const closingCodes: ReadonlySet<RefusalCode> = new Set([
  "malformed_request",
  "head_too_large",
  "no_session",
  "internal_error",
]);

/** One exchange in progress. */
interface Exchange {
  readonly connection: ServedConnection;
  readonly deps: ExchangeDependencies;
  readonly audit: AuditRecord;
  head: RequestHead | undefined;
  body: BodyReader | undefined;
  sending: Sending | undefined;
  /** Octets of the budget for collected bodies that are to be given back. */
  reservedOctets: number;
}

/** A request that went out, with the final answer's head. */
interface Answered {
  readonly lease: UpstreamLease;
  readonly answer: AnswerHead;
}

/**
 * Serves the next request of a guest's connection, from its first octet to
 * the last of its answer, and writes its audit line. Answers whether the
 * connection may carry another one. Never rejects.
 */
export async function serveExchange(
  connection: ServedConnection,
  deps: ExchangeDependencies,
): Promise<boolean> {
  const exchange: Exchange = {
    connection,
    deps,
    audit: new AuditRecord(connection.origin, deps.clock),
    head: undefined,
    body: undefined,
    sending: undefined,
    reservedOctets: 0,
  };
  connection.canAnswer = true;
  try {
    return await carryOut(exchange);
  } catch (error) {
    return answerFailure(exchange, error);
  } finally {
    connection.canAnswer = false;
    deps.measuredBodyBudget.give(exchange.reservedOctets);
    if (exchange.body !== undefined) exchange.audit.requestBytes = exchange.body.octets;
    deps.writeAudit(exchange.audit.finish());
  }
}

async function carryOut(exchange: Exchange): Promise<boolean> {
  const { connection, deps, audit } = exchange;
  const { head, framing, body } = await readRequest(exchange);
  connection.watchdog.allowQuiet(deps.options.idleTimeoutSeconds);
  const policy = findSession(exchange);
  const checked = checkHost(connection.origin, head);
  checkPolicy(exchange, policy, checked.destination.host);
  const request = prepareRequest(head, framing, checked, policy, audit.seen);
  const answered = await exchangeWithUpstream(exchange, request, checked.destination, body);
  return await passAnswerOn(exchange, request, checked.destination, answered);
}

async function readRequest(
  exchange: Exchange,
): Promise<{ head: RequestHead; framing: Framing; body: BodyReader }> {
  const octets = await readHead(exchange.connection.guest);
  if (octets === null) throw new HttpSyntaxError("truncated", "the connection ended inside a head");
  const head = parseRequestHead(octets);
  exchange.head = head;
  exchange.audit.request(head);
  const framing = requestFraming(head);
  const body = new BodyReader(exchange.connection.guest, framing);
  exchange.body = body;
  return { head, framing, body };
}

function findSession(exchange: Exchange): SessionPolicy {
  const policy = exchange.deps.findPolicy(exchange.connection.origin.sourceAddress);
  if (policy === undefined) {
    throw new Refusal(
      "no_session",
      "The egress proxy has no session for this sandbox: it is being started, or was stopped",
    );
  }
  exchange.audit.session(policy);
  return policy;
}

function checkPolicy(exchange: Exchange, policy: SessionPolicy, host: string): void {
  exchange.audit.host(host);
  const reason = policy.refusalFor(host);
  if (reason !== null) throw new Refusal("egress_host_not_allowed", reason);
}

/** Sends the request and awaits the final answer; once more when a kept connection proves closed. */
async function exchangeWithUpstream(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  body: BodyReader,
): Promise<Answered> {
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
    const receivedBefore = lease.channel.received;
    exchange.sending = streams
      ? sendStreamed(lease.channel, request, body, audit.seen)
      : sendMeasured(lease.channel, request, measured);
    try {
      const answer = await awaitAnswer(
        { guest, upstream: lease.channel, guestTakesInterim: exchange.head?.minorVersion === 1 },
        request,
        destination.host,
        audit.seen,
      );
      return { lease, answer };
    } catch (error) {
      const wasIdleClose = lease.reused && lease.channel.received === receivedBefore;
      if (!wasIdleClose || !isRepeatable || watchdog.expired || !guest.writable) throw error;
      link.drop();
      idleSecondsMax = -1;
    }
  }
}

/** Whether the body will be collected, so that its length after substitution is known. */
function reserveMeasured(exchange: Exchange, request: OutgoingRequest): boolean {
  const { measuredBodyBudget, options } = exchange.deps;
  const { framing } = request;
  if (framing.kind !== "length" || !request.searchesBody || !request.tokens.hasUsable) return false;
  if (framing.length > options.measuredBodyBytesMax) return false;
  if (!measuredBodyBudget.tryTake(framing.length)) return false;
  exchange.reservedOctets = framing.length;
  return true;
}

async function passAnswerOn(
  exchange: Exchange,
  request: OutgoingRequest,
  destination: Destination,
  { lease, answer }: Answered,
): Promise<boolean> {
  const { connection, deps, audit } = exchange;
  if (answer.head.status === 101) {
    await passTunnel(exchange, request, lease, answer);
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
  lease: UpstreamLease,
  answer: AnswerHead,
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

/** Tells the guest what went wrong, if it can still be told. */
function answerFailure(exchange: Exchange, thrown: unknown): boolean {
  const { connection, audit, head } = exchange;
  const refusal = explain(exchange, exchange.sending?.failure ?? thrown);
  connection.link.drop();
  if (refusal === undefined) {
    audit.failed("the guest closed the connection before its answer was complete");
    connection.guest.destroy();
    return false;
  }
  if (refusal.wasAllowed) audit.failed(refusal.message);
  else audit.refused(refusal.message);
  if (!connection.canAnswer) {
    connection.guest.reset();
    return false;
  }
  const keeps =
    head?.minorVersion === 1 &&
    exchange.body?.complete === true &&
    !connectionOptions(head.fields).has("close") &&
    !closingCodes.has(refusal.code);
  connection.canAnswer = false;
  audit.status = refusal.status;
  answerRefusal(connection.guest, refusal, { method: head?.method, close: !keeps });
  return keeps;
}

/** The refusal that an error amounts to; undefined when the guest itself went away. */
function explain(exchange: Exchange, error: unknown): Refusal | undefined {
  const { connection, audit } = exchange;
  if (connection.watchdog.expired) {
    return exchange.head === undefined
      ? new Refusal("request_timed_out", "The request head did not arrive in time")
      : new Refusal("timed_out", "Nothing moved on the connection for too long", {
          wasAllowed: true,
          cause: error,
        });
  }
  if (!connection.guest.writable) return undefined;
  if (error instanceof HttpSyntaxError && error.fault === "truncated") return undefined;
  const refusal = refusalFrom(error);
  if (refusal !== undefined) return refusal;
  if (error instanceof ChannelLostError) return upstreamClosed(audit.hostText, error);
  const kind = error instanceof Error ? error.name : typeof error;
  return new Refusal("internal_error", `The egress proxy failed inside (${kind})`, {
    wasAllowed: true,
    cause: error,
  });
}
