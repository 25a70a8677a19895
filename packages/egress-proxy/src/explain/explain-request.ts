import {
  allowsStream,
  anyHostMatches,
  type EgressExplanation,
  type ExplainedSecret,
} from "@opencomputer/protocol/api";
import type { DescribedRequest } from "@opencomputer/protocol/wire";
import { entriesFor } from "../egress-policy/decide-stream.ts";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { Refusal } from "../exchange/failure/refusal.ts";
import { findDestination } from "../exchange/request/find-destination.ts";
import { fieldOf } from "../http/fields.ts";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { type ChooseRouteDependencies, chooseRoute } from "../upstream/choose-route.ts";
import { type Destination, DialError, joinHost, schemePorts } from "../upstream/destination.ts";

type Verdict = Pick<EgressExplanation, "decision" | "rule" | "entry" | "reason">;

/**
 * Explains what would happen to a request of a sandbox under a policy, by the code that
 * decides about its requests. The name is resolved, unless the policy refuses it already;
 * nothing is sent to the host.
 */
export async function explainRequest(
  deps: ChooseRouteDependencies,
  policy: SessionPolicy,
  request: DescribedRequest,
  signal: AbortSignal,
): Promise<EgressExplanation> {
  const { protocol, host, port, method } = request;
  const secrets = secretsFor(policy, request);
  const explained = { protocol, host, port, method: protocol === "tcp" ? null : method, secrets };
  const verdict = judge(policy, request);
  if (verdict.decision === "refused" || !passesProxy(policy, request)) {
    return { ...verdict, ...explained };
  }
  try {
    const route = await chooseRoute(deps, destinationOf(request), signal);
    const addresses =
      route.kind === "direct" ? route.targets.map(({ address }) => address).join(", ") : undefined;
    const way = addresses === undefined ? "through the upstream proxy" : `to ${addresses}`;
    return { ...verdict, reason: `${verdict.reason}; it would be sent ${way}`, ...explained };
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const rule = error.failure === "address_refused" ? "address" : "name_not_resolved";
    return { decision: "refused", rule, entry: null, reason: error.message, ...explained };
  }
}

/** Decides by the policy alone. */
function judge(policy: SessionPolicy, request: DescribedRequest): Verdict {
  const { mode, egressAllowlist } = policy;
  if (mode === "open") {
    const reason =
      "the sandbox has neither a secret store nor an allowlist: its packets go to the public internet, and private ranges are refused";
    return { decision: "allowed", rule: "open", entry: null, reason };
  }
  if (!passesProxy(policy, request)) {
    const reason = `no allowlist restricts the sandbox, and port ${request.port} does not pass the egress proxy: no secret is used`;
    return { decision: "allowed", rule: "no_allowlist", entry: null, reason };
  }
  const refusal = refusalOf(policy, request);
  if (refusal !== null) {
    return { decision: "refused", rule: "not_in_allowlist", entry: null, reason: refusal };
  }
  if (egressAllowlist.length === 0) {
    const reason = "no allowlist restricts the sandbox";
    return { decision: "allowed", rule: "no_allowlist", entry: null, reason };
  }
  const entry = egressAllowlist.find((candidate) => allows(candidate, request)) ?? null;
  return {
    ...{ decision: "allowed", rule: "allowlist_entry", entry },
    reason: `the egress allowlist has ${entry}`,
  };
}

/** Whether the packet filter gives the connection to the proxy, or rejects it. */
function passesProxy(
  { mode, egressAllowlist }: SessionPolicy,
  { protocol, port }: DescribedRequest,
): boolean {
  if (mode === "open") return false;
  if (mode === "allowlisted" || egressAllowlist.length > 0) return true;
  return protocol !== "tcp" && port === schemePorts[protocol];
}

function refusalOf(policy: SessionPolicy, request: DescribedRequest): string | null {
  const { protocol, host, port } = request;
  if (protocol === "tcp") {
    if (policy.otherPorts.allowsStream(host, port)) return null;
    return `port ${port} of ${host} is not open: ${entriesFor(host, port)}`;
  }
  if (protocol === "http" && port !== schemePorts.http) {
    return `HTTP without TLS is served on port ${schemePorts.http} alone`;
  }
  try {
    return policy.refusalFor(checkedHost(request));
  } catch (error) {
    if (error instanceof Refusal || error instanceof HttpSyntaxError) return error.message;
    throw error;
  }
}

/**
 * The host that a request is decided on, found as from its connection and head.
 *
 * @throws {Refusal}
 * @throws {HttpSyntaxError}
 */
function checkedHost({ protocol, host, port, method }: DescribedRequest): string {
  if (protocol === "tcp") return joinHost("tcp", host, port);
  const usual = schemePorts[protocol];
  const value = port === usual ? host : `${host}:${port}`;
  const connection = { scheme: protocol, port, serverName: protocol === "https" ? host : null };
  const head = { method, target: "/", minorVersion: 1, fields: [fieldOf("Host", value)] } as const;
  return findDestination(connection, head).destination.host;
}

function allows(entry: string, request: DescribedRequest): boolean {
  const { protocol, host, port } = request;
  return protocol === "tcp"
    ? allowsStream([entry], host, port)
    : anyHostMatches([entry], joinHost(protocol, host, port));
}

function destinationOf({ protocol, host, port }: DescribedRequest): Destination {
  return { scheme: protocol, host: joinHost(protocol, host, port) };
}

/** What would become of each secret. A stream, and what does not pass the proxy, uses none. */
function secretsFor(policy: SessionPolicy, request: DescribedRequest): ExplainedSecret[] {
  if (request.protocol === "tcp" || !passesProxy(policy, request)) return [];
  const table = policy.tokens.forDestination(destinationOf(request));
  const values = policy.secrets.map(({ name, token, allowedHosts, substituteIn }) => {
    const withheld = table.entries.get(token)?.withheldFor ?? null;
    const placements = withheld === null ? [...substituteIn] : [];
    return {
      name,
      substituteIn: placements,
      withheld: withheld ?? (placements.length === 0 ? "placement" : null),
      allowedHosts: [...allowedHosts],
    };
  });
  const decision = policy.secretsFor(destinationOf(request).host);
  const credentials = policy.awsCredentials.map((credential): ExplainedSecret => {
    const usable = table.awsCredentials.get(credential.accessKeyIdToken);
    const placements = [
      ...(usable?.inHeader === true ? ["header:authorization"] : []),
      ...(usable?.inQuery === true ? ["query"] : []),
    ];
    const reason = decision.usableAws.includes(credential) ? "plain_http" : "host";
    const withheld = usable === undefined ? reason : placements.length === 0 ? "placement" : null;
    const { name, allowedHosts } = credential;
    return { name, substituteIn: placements, withheld, allowedHosts: [...allowedHosts] };
  });
  const revoked = [...new Set(policy.revokedSecrets.map(({ name }) => name))].map(
    (name): ExplainedSecret => ({ name, substituteIn: [], withheld: "revoked", allowedHosts: [] }),
  );
  return [...values, ...credentials, ...revoked];
}
