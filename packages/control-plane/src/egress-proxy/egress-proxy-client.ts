import {
  type EgressExplanation,
  egressExplanationSchema,
  WireError,
} from "@opencomputer/protocol/api";
import {
  type CertificateAuthorityKeys,
  type EgressLogBatch,
  type EgressPolicy,
  type EgressProxyStatus,
  type EgressSession,
  type ExplainRequest,
  egressLogBatchSchema,
  egressPolicySchema,
  egressProxyStatusSchema,
  metricsResponseSchema,
  type ReadEgressLog,
} from "@opencomputer/protocol/wire";
import { createUnixSocketClient } from "../peers/unix-socket-client.ts";

const timeoutMilliseconds = 5_000;
/** The proxy resolves a name for it. */
const explainTimeoutMilliseconds = 20_000;

/** The egress proxy. Errors are {@link WireError}s, the proxy's own or `egress_proxy_unavailable`. */
export interface EgressProxyClient {
  status(): Promise<EgressProxyStatus>;
  /** What the proxy measures, in Prometheus' text format. */
  readMetrics(): Promise<string>;
  putCertificateAuthority(keys: CertificateAuthorityKeys): Promise<void>;
  putSession(session: EgressSession): Promise<void>;
  /** Also `egress_proxy_unavailable` when the proxy holds no such session: it has restarted. */
  getPolicy(sandboxId: string): Promise<EgressPolicy>;
  /** Ends the session of a sandbox, unless it has a higher version than this. One that does not exist counts as ended. */
  endSession(sandboxId: string, version: number): Promise<void>;
  /** Returns what the egress log has after what is acknowledged, or after the wait nothing. */
  readEgressLog(read: ReadEgressLog, signal: AbortSignal): Promise<EgressLogBatch>;
  /** Explains what would happen to a request. Without a session it throws as {@link getPolicy}. */
  explain(sandboxId: string, question: ExplainRequest): Promise<EgressExplanation>;
  close(): Promise<void>;
}

export function createEgressProxyClient(socketPath: string): EgressProxyClient {
  const client = createUnixSocketClient({
    socketPath,
    peer: "egress proxy",
    unavailable: "egress_proxy_unavailable",
    quotesErrors: false,
  });
  const sessionPath = (sandboxId: string) => `/v1/sessions/${sandboxId}`;

  return {
    status: () =>
      client.request(
        { method: "GET", path: "/v1/status", timeoutMilliseconds },
        egressProxyStatusSchema,
      ),

    async readMetrics() {
      const request = { method: "GET", path: "/v1/metrics", timeoutMilliseconds } as const;
      return (await client.request(request, metricsResponseSchema)).text;
    },

    putCertificateAuthority: (keys) =>
      client.send({
        method: "PUT",
        path: "/v1/certificate-authority",
        body: keys,
        timeoutMilliseconds,
      }),

    putSession: (session) =>
      client.send({
        method: "PUT",
        path: sessionPath(session.sandboxId),
        body: session,
        timeoutMilliseconds,
      }),

    getPolicy: (sandboxId) =>
      ofSession(
        sandboxId,
        client.request(
          { method: "GET", path: sessionPath(sandboxId), timeoutMilliseconds },
          egressPolicySchema,
        ),
      ),

    endSession: (sandboxId, version) =>
      client.send({
        method: "DELETE",
        path: `${sessionPath(sandboxId)}?version=${version}`,
        timeoutMilliseconds,
      }),

    readEgressLog: (read, signal) =>
      client.request(
        {
          method: "POST",
          path: "/v1/egress-log/read",
          body: read,
          timeoutMilliseconds: read.waitSeconds * 1000 + timeoutMilliseconds,
          signal,
        },
        egressLogBatchSchema,
      ),

    explain: (sandboxId, question) =>
      ofSession(
        sandboxId,
        client.request(
          {
            method: "POST",
            path: `${sessionPath(sandboxId)}/explain`,
            body: question,
            timeoutMilliseconds: explainTimeoutMilliseconds,
          },
          egressExplanationSchema,
        ),
      ),

    close: () => client.close(),
  };
}

/** @throws {WireError} `egress_proxy_unavailable` when the proxy holds no session of the sandbox. */
async function ofSession<Result>(sandboxId: string, response: Promise<Result>): Promise<Result> {
  try {
    return await response;
  } catch (error) {
    if (!(error instanceof WireError) || error.status !== 404) throw error;
    throw new WireError(
      "egress_proxy_unavailable",
      `The egress proxy has restarted and does not hold sandbox ${sandboxId} yet; try again`,
      { cause: error },
    );
  }
}
