import {
  type EgressExplanation,
  type ExplainEgressQuery,
  normalizeHost,
  WireError,
} from "@opencomputer/protocol/api";
import type { DescribedRequest, DescribedSession } from "@opencomputer/protocol/wire";
import { findPresentSandbox } from "../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import type { Workers } from "../worker/workers.ts";

/** Ports that carry something else than an opaque stream. */
const portsOfProxy: ReadonlyMap<number, string> = new Map([
  [443, "https://"],
  [80, "http://"],
]);
const resolverPort = 53;

/**
 * Explains what would happen to a request of a sandbox: the egress proxy decides, as it would
 * about the request. For a sandbox that is hibernated it decides by what it gets at its wake.
 *
 * @throws {WireError} `invalid_request`, `sandbox_not_found`, `sandbox_not_running`,
 * `egress_proxy_unavailable`
 */
export async function explainEgress(
  deps: { sandboxes: SandboxRepository; workers: Workers },
  orgId: string,
  sandboxId: string,
  query: ExplainEgressQuery,
): Promise<EgressExplanation> {
  const request = describedRequest(query);
  const sandbox = await findPresentSandbox(deps.sandboxes, orgId, sandboxId);
  const session = sandbox.state === "running" ? null : await describeSession(deps, sandbox);
  return deps.workers
    .of(sandbox)
    .egressProxies.of(sandbox)
    .explain(sandbox.id, { request, session });
}

async function describeSession(
  { sandboxes }: { sandboxes: SandboxRepository },
  { orgId, id, egressMode, egressAllowlist }: SandboxRow,
): Promise<DescribedSession> {
  const copies = await sandboxes.listSecrets(orgId, id);
  return {
    mode: egressMode,
    egressAllowlist,
    secrets: copies
      .filter(({ revokedAt }) => revokedAt === null)
      .map(({ name, kind, allowedHosts, substituteIn }) => ({
        ...{ name, kind, allowedHosts, substituteIn },
      })),
    revokedSecrets: copies.filter(({ revokedAt }) => revokedAt !== null).map(({ name }) => name),
  };
}

function describedRequest({ url: text, method = "GET" }: ExplainEgressQuery): DescribedRequest {
  const [, scheme] = /^(https|http|tcp):\/\//i.exec(text) ?? [];
  // As `ws:`, which is parsed like http, and keeps each port but 80.
  const parsed = scheme?.toLowerCase() === "tcp" ? `ws://${text.slice("tcp://".length)}` : text;
  const url = scheme !== undefined && URL.canParse(parsed) ? new URL(parsed) : undefined;
  const host = url === undefined ? undefined : normalizeHost(url.hostname);
  if (scheme === undefined || url === undefined || host === undefined) {
    throw malformedUrl("expected an https, http or tcp URL with a host name");
  }
  const protocol = describedProtocol(scheme);
  if (protocol !== "tcp") {
    const port = url.port === "" ? { https: 443, http: 80 }[protocol] : Number(url.port);
    return { method: method.toUpperCase(), protocol, host, port };
  }
  const port = url.port === "" && /:0*80(?:$|[/?#])/.test(text) ? 80 : Number(url.port);
  const schemeOfPort = portsOfProxy.get(port);
  if (port === 0) throw malformedUrl("expected a port in a tcp URL, as in tcp://HOST:PORT");
  if (port === resolverPort)
    throw malformedUrl("port 53 always reaches the sandbox's own resolver");
  if (schemeOfPort !== undefined) {
    throw malformedUrl(`port ${port} is no opaque stream: write ${schemeOfPort}${host}`);
  }
  return { method: method.toUpperCase(), protocol, host, port };
}

function describedProtocol(scheme: string): DescribedRequest["protocol"] {
  const lower = scheme.toLowerCase();
  return lower === "https" || lower === "http" ? lower : "tcp";
}

function malformedUrl(expectation: string): WireError {
  return new WireError("invalid_request", `url: ${expectation}`);
}
