import { randomUUID } from "node:crypto";
import {
  type CertificateAuthorityKeys,
  certificateAuthoritySchema,
  type EgressSession,
  egressPolicySchema,
  egressProxyStatusSchema,
  egressSessionSchema,
  WireError,
} from "@opencomputer/protocol";
import { z } from "zod";
import { createUnixSocketPeer } from "./serve-unix-socket.ts";

const paramsSchema = z.object({ id: z.string() });

/** The proxy's control wire without a data path. `before` lets a test fail a hand-over. */
export function createFakeEgressProxy(socketPath: string) {
  const sessions = new Map<string, EgressSession>();
  /** The highest version of each sandbox, also of those that are gone. */
  const versions = new Map<string, number>();
  const proxy = {
    sessions,
    versions,
    /** The session of a sandbox without its version. */
    contentOf(sandboxId: string): Omit<EgressSession, "version"> | undefined {
      const session = sessions.get(sandboxId);
      if (session === undefined) return undefined;
      const { version: _version, ...content } = structuredClone(session);
      return content;
    },
    certificateAuthority: undefined as CertificateAuthorityKeys | undefined,
    instanceId: randomUUID(),
    before: async (_step: "put" | "delete", _sandboxId: string): Promise<void> => undefined,
    /** Comes back as another process, which holds nothing. */
    async restart() {
      await peer.stop();
      sessions.clear();
      versions.clear();
      proxy.certificateAuthority = undefined;
      proxy.instanceId = randomUUID();
      await peer.start();
    },
    start: () => peer.start(),
    stop: () => peer.stop(),
  };

  const peer = createUnixSocketPeer(socketPath, (app) => {
    app.get("/v1/status", async () =>
      egressProxyStatusSchema.parse({
        instanceId: proxy.instanceId,
        hasCertificateAuthority: proxy.certificateAuthority !== undefined,
        sessionCount: sessions.size,
      }),
    );
    app.put("/v1/certificate-authority", async (request, reply) => {
      proxy.certificateAuthority = certificateAuthoritySchema.parse(request.body);
      return reply.code(204).send();
    });
    app.put("/v1/sessions/:id", async (request, reply) => {
      const { id } = paramsSchema.parse(request.params);
      await proxy.before("put", id);
      const session = egressSessionSchema.parse(request.body);
      if (session.version < (versions.get(id) ?? 0)) {
        throw new WireError("stale_session", `a newer session is held: ${id}`);
      }
      versions.set(id, session.version);
      sessions.set(id, session);
      return reply.code(204).send();
    });
    app.get("/v1/sessions/:id", async (request) => {
      const { id } = paramsSchema.parse(request.params);
      const session = sessions.get(id);
      if (session === undefined) throw new WireError("sandbox_not_found", `no session: ${id}`);
      return egressPolicySchema.parse({
        ...session,
        perSecretAllowedHosts: Object.fromEntries(
          session.secrets.map((secret) => [secret.name, secret.allowedHosts]),
        ),
      });
    });
    app.delete("/v1/sessions/:id", async (request, reply) => {
      const { id } = paramsSchema.parse(request.params);
      await proxy.before("delete", id);
      if (!sessions.delete(id)) throw new WireError("sandbox_not_found", `no session: ${id}`);
      return reply.code(204).send();
    });
  });
  return proxy;
}
export type FakeEgressProxy = ReturnType<typeof createFakeEgressProxy>;
