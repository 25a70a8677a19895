import { serviceLimits } from "@opencomputer/protocol/wire";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import type { IncomingBody } from "../http/incoming-body.ts";
import type { Framing, RequestHead } from "../http/message-heads.ts";
import { workOfBytes, workUnits } from "../turns/fair-turns.ts";
import { Refusal } from "./failure/refusal.ts";
import { respondWithFailure } from "./failure/respond-with-failure.ts";
import { forwardRequest } from "./forward/forward-request.ts";
import { findDestination } from "./request/find-destination.ts";
import { prepareRequest } from "./request/prepare-request.ts";
import { verifySignature } from "./request/verify-signature.ts";
import { watchBody, watchHead } from "./request/watch-for-leaks.ts";
import { deliverResponse } from "./response/deliver-response.ts";
import { AuditRecord } from "./state/audit-record.ts";
import { giveBudgetBack } from "./state/body-reservation.ts";
import type { Exchange } from "./state/exchange.ts";
import type { ExchangeDependencies } from "./state/exchange-dependencies.ts";
import { PacedBody } from "./state/paced-body.ts";
import { presentPolicy } from "./state/present-policy.ts";
import type { ServedConnection } from "./state/served-connection.ts";
import { refuseUnswitched, relayUpgrade } from "./upgrade/relay-upgrade.ts";

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
    audit: new AuditRecord(connection.origin, deps),
    head: undefined,
    body: undefined,
    policy: undefined,
    sending: undefined,
    search: undefined,
    reservedBytes: 0,
  };
  connection.stage = "requested";
  try {
    const turn = deps.turns.take(connection.origin.sandboxId, workUnits.exchange);
    if (turn !== undefined) await turn;
    const { head, framing, body } = await readRequest(exchange);
    const policy = findSession(exchange);
    checkAdmission(exchange);
    checkAuditTrail(exchange);
    watchBody(exchange, policy, body);
    const checked = findDestination(connection.origin, head);
    checkPolicy(exchange, policy, checked.destination.host);
    const signature =
      policy.awsCredentials.length === 0
        ? undefined
        : await verifySignature(exchange, head, framing, checked, policy, body);
    const request = prepareRequest(head, framing, checked, policy, exchange.audit.seen, signature);
    exchange.audit.isGrpc = request.isGrpc;
    const responded = await forwardRequest(exchange, request, checked.destination, body);
    if (responded.head.status === 101) {
      await relayUpgrade(exchange, request, checked.destination, responded);
      return false;
    }
    refuseUnswitched(exchange, responded.head, checked.destination.host);
    return await deliverResponse(exchange, request, checked.destination, responded);
  } catch (error) {
    return respondWithFailure(exchange, error);
  } finally {
    connection.stage = "idle";
    giveBudgetBack(exchange);
    if (exchange.body !== undefined) exchange.audit.requestBytes = exchange.body.bytes;
    deps.writeAudit(exchange.audit.finish(), exchange.audit.detail());
  }
}

async function readRequest(
  exchange: Exchange,
): Promise<{ head: RequestHead; framing: Framing; body: IncomingBody }> {
  const { connection, deps, audit } = exchange;
  const head = await connection.guest.readHead((bytes) => {
    connection.watchdog.allowQuiet(deps.options.silenceTimeoutSeconds);
    deps.turns.charge(connection.origin.sandboxId, workOfBytes(bytes.length));
    watchHead(exchange, bytes);
  });
  exchange.head = head;
  audit.request(head);
  const { framing, body: received } = connection.guest.readBody(head);
  const body =
    framing.kind === "none"
      ? received
      : new PacedBody(received, deps.turns, connection.origin.sandboxId);
  exchange.body = body;
  return { head, framing, body };
}

function findSession(exchange: Exchange): SessionPolicy {
  const policy = presentPolicy(exchange.deps, exchange.connection.origin);
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

function checkAdmission({ connection }: Exchange): void {
  if (!connection.origin.admission.isRefused) return;
  const most = serviceLimits.egressConnectionsPerSandboxMax;
  throw new Refusal(
    "too_many_connections",
    `Connection limit reached: the sandbox has ${most} of ${most} connections with a request in progress. Close one, or send fewer requests at the same time`,
  );
}

function checkAuditTrail({ deps }: Exchange): void {
  if (deps.isAuditTrailWritable()) return;
  throw new Refusal(
    "audit_trail_unwritable",
    "The audit trail cannot be written, so no request is sent: try again once the operator of the service has fixed its disk",
  );
}

function checkPolicy(exchange: Exchange, policy: SessionPolicy, host: string): void {
  exchange.audit.host(host);
  const reason = policy.refusalFor(host);
  if (reason !== null) throw new Refusal("egress_host_not_allowed", reason);
}
