import { randomUUID } from "node:crypto";
import {
  type EgressExchange,
  type EgressExplanation,
  egressExplanationSchema,
  WireError,
} from "@opencomputer/protocol/api";
import {
  type CertificateAuthorityKeys,
  certificateAuthoritySchema,
  type EgressLogLine,
  type EgressSession,
  type ExplainRequest,
  egressLogBatchSchema,
  egressPolicySchema,
  egressProxyStatusSchema,
  egressSessionSchema,
  endSessionQuerySchema,
  explainRequestSchema,
  metricsResponseSchema,
  type ReadEgressLog,
  readEgressLogSchema,
} from "@opencomputer/protocol/wire";
import { z } from "zod";
import { createUnixSocketPeer } from "./serve-unix-socket.ts";

const paramsSchema = z.object({ id: z.string() });

/** The proxy's control wire without a data path. `before` lets a test fail a hand-over. */
export function createFakeEgressProxy(socketPath: string) {
  const sessions = new Map<string, EgressSession>();
  /** The highest version of each sandbox, also of those that were removed. */
  const versions = new Map<string, number>();
  /** Lines that are not acknowledged, in the order of their sequences. */
  let logLines: EgressLogLine[] = [];
  let lastSequence = 0;
  const proxy = {
    /** What each call has asked to be explained, and what is returned for it. */
    questions: [] as { sandboxId: string; question: ExplainRequest }[],
    explanation: undefined as EgressExplanation | undefined,
    /** How many lines of the egress log are not acknowledged. */
    unacknowledged: () => logLines.length,
    /** Adds a line to the egress log, and returns its sequence. */
    log(
      sandboxId: string,
      { wasSent = true, ...changes }: Partial<EgressExchange & { wasSent: boolean }> = {},
    ): number {
      lastSequence += 1;
      logLines.push({ ...testExchange(changes), wasSent, sandboxId, sequence: lastSequence });
      return lastSequence;
    },
    /** Called before a read of the egress log takes effect. */
    beforeLog: async (_read: ReadEgressLog): Promise<void> => undefined,
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
      logLines = [];
      lastSequence = 0;
      await peer.start();
    },
    start: () => peer.start(),
    stop: () => peer.stop(),
  };

  const peer = createUnixSocketPeer(socketPath, (app) => {
    app.get("/v1/metrics", async () => metricsResponseSchema.parse({ text: "# metrics\n" }));
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
      const owner = [...sessions.values()].find(
        ({ sandboxId, sourceAddress }) =>
          sandboxId !== id && sourceAddress === session.sourceAddress,
      );
      if (owner !== undefined && session.version < owner.version) {
        throw new WireError("stale_session", `a newer session has the address: ${id}`);
      }
      if (owner !== undefined) sessions.delete(owner.sandboxId);
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
          [...session.secrets, ...session.awsSecrets].map(({ name, allowedHosts }) => [
            name,
            allowedHosts,
          ]),
        ),
      });
    });
    app.post("/v1/sessions/:id/explain", async (request) => {
      const { id } = paramsSchema.parse(request.params);
      const question = explainRequestSchema.parse(request.body);
      if (question.session === null && !sessions.has(id)) {
        throw new WireError("sandbox_not_found", `no session: ${id}`);
      }
      proxy.questions.push({ sandboxId: id, question });
      return egressExplanationSchema.parse(proxy.explanation);
    });
    app.post("/v1/egress-log/read", async (request) => {
      const read = readEgressLogSchema.parse(request.body);
      await proxy.beforeLog(read);
      const { acknowledged } = read;
      if (acknowledged?.instanceId === proxy.instanceId) {
        logLines = logLines.filter(({ sequence }) => sequence > acknowledged.sequence);
      }
      return egressLogBatchSchema.parse({ instanceId: proxy.instanceId, lines: logLines });
    });
    app.delete("/v1/sessions/:id", async (request, reply) => {
      const { id } = paramsSchema.parse(request.params);
      await proxy.before("delete", id);
      const { version } = endSessionQuerySchema.parse(request.query);
      versions.set(id, Math.max(version + 1, versions.get(id) ?? 0));
      if ((sessions.get(id)?.version ?? 0) <= version) sessions.delete(id);
      return reply.code(204).send();
    });
  });
  return proxy;
}
export type FakeEgressProxy = ReturnType<typeof createFakeEgressProxy>;

/** An allowed request that touched no secret, with these changes. */
export function testExchange(changes: Partial<EgressExchange>): EgressExchange {
  return {
    time: new Date().toISOString(),
    protocol: "https",
    host: "api.example.com",
    port: 443,
    method: "GET",
    path: "/",
    decision: "allowed",
    reason: null,
    secrets: noSecrets,
    status: 200,
    requestBytes: 1,
    responseBytes: 2,
    durationMilliseconds: 3.5,
    leftOut: 0,
    ...changes,
  };
}

/** What an exchange without secrets has of them. */
export const noSecrets: EgressExchange["secrets"] = {
  substituted: [],
  withheld: [],
  redacted: [],
  leaked: [],
  foreignTokens: 0,
};
