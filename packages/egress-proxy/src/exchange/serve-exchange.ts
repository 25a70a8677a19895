import type { SessionPolicy } from "../contract.ts";
import { BodyReader } from "../http1/body-reader.ts";
import { readHead, takeHead } from "../http1/head-reader.ts";
import { HttpSyntaxError } from "../http1/http-syntax-error.ts";
import { type Framing, requestFraming } from "../http1/message-framing.ts";
import { parseRequestHead, type RequestHead } from "../http1/request-head.ts";
import { answerFailure } from "./answer-failure.ts";
import { askUpstream } from "./ask-upstream.ts";
import { AuditRecord } from "./audit-record.ts";
import { checkHost } from "./check-host.ts";
import type { Exchange } from "./exchange.ts";
import { prepareRequest } from "./outgoing-request.ts";
import { passResponseOn } from "./pass-response-on.ts";
import { Refusal } from "./refusal.ts";
import type { ExchangeDependencies, ServedConnection } from "./served-connection.ts";
import { watchBody, watchHead } from "./watch-for-leaks.ts";

/**
 * Serves the next request of a guest's connection, from its first byte to the
 * last of its response, and writes its audit line. Returns whether the
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
    policy: undefined,
    sending: undefined,
    search: undefined,
    reservedBytes: 0,
  };
  connection.canAnswer = true;
  try {
    const bytes = takeHead(connection.guest) ?? (await readHead(connection.guest));
    connection.watchdog.allowQuiet(deps.options.idleTimeoutSeconds);
    if (bytes !== null) watchHead(exchange, bytes);
    const { head, framing, body } = parseRequest(exchange, bytes);
    const policy = findSession(exchange);
    checkAuditTrail(exchange);
    watchBody(exchange, policy, body);
    const checked = checkHost(connection.origin, head);
    checkPolicy(exchange, policy, checked.destination.host);
    const request = prepareRequest(head, framing, checked, policy, exchange.audit.seen);
    const responded = await askUpstream(exchange, request, checked.destination, body);
    return await passResponseOn(exchange, request, checked.destination, responded);
  } catch (error) {
    return answerFailure(exchange, error);
  } finally {
    connection.canAnswer = false;
    giveBudgetBack(exchange);
    if (exchange.body !== undefined) exchange.audit.requestBytes = exchange.body.octets;
    deps.writeAudit(exchange.audit.finish());
  }
}

function parseRequest(
  exchange: Exchange,
  bytes: Buffer | null,
): { head: RequestHead; framing: Framing; body: BodyReader } {
  if (bytes === null) throw new HttpSyntaxError("truncated", "the connection ended inside a head");
  const head = parseRequestHead(bytes);
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
  exchange.policy = policy;
  exchange.audit.session(policy);
  return policy;
}

function checkAuditTrail({ deps }: Exchange): void {
  if (deps.isAuditTrailWritable()) return;
  throw new Refusal(
    "audit_trail_unwritable",
    "The audit trail cannot be written, so no request is sent: try again once the operator of the service has seen to its disk",
  );
}

function giveBudgetBack({ deps, policy, reservedBytes }: Exchange): void {
  if (policy !== undefined && reservedBytes > 0)
    deps.bodyBudgets.of(policy.sandboxId).give(reservedBytes);
}

function checkPolicy(exchange: Exchange, policy: SessionPolicy, host: string): void {
  exchange.audit.host(host);
  const reason = policy.refusalFor(host);
  if (reason !== null) throw new Refusal("egress_host_not_allowed", reason);
}
