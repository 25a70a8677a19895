import {
  type CertificateAuthorityKeys,
  type EgressPolicy,
  type EgressProxyStatus,
  type EgressSession,
  egressPolicySchema,
  egressProxyStatusSchema,
  WireError,
} from "@opencomputer/protocol";
import { createUnixSocketClient } from "../unix-socket-client.ts";

const timeoutMilliseconds = 5_000;

/** The egress proxy. Errors are {@link WireError}s, the proxy's own or `egress_proxy_unavailable`. */
export interface EgressProxyClient {
  status(): Promise<EgressProxyStatus>;
  putCertificateAuthority(keys: CertificateAuthorityKeys): Promise<void>;
  putSession(session: EgressSession): Promise<void>;
  /** @throws {WireError} `sandbox_not_found` or `not_found` when the proxy holds no such session. */
  getPolicy(sandboxId: string): Promise<EgressPolicy>;
  /** A session that is not there counts as deleted. */
  deleteSession(sandboxId: string): Promise<void>;
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
      client.request(
        { method: "GET", path: sessionPath(sandboxId), timeoutMilliseconds },
        egressPolicySchema,
      ),

    async deleteSession(sandboxId) {
      try {
        await client.send({ method: "DELETE", path: sessionPath(sandboxId), timeoutMilliseconds });
      } catch (error) {
        if (!(error instanceof WireError) || error.status !== 404) throw error;
      }
    },

    close: () => client.close(),
  };
}
