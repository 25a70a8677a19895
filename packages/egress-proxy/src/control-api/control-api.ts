import { abortWhenClosed } from "@opencomputer/process";
import {
  type EgressExplanation,
  egressExplanationSchema,
  errorBodySchema,
  sandboxIdSchema,
  WireError,
} from "@opencomputer/protocol/api";
import {
  certificateAuthoritySchema,
  type ExplainRequest,
  egressPolicySchema,
  egressProxyStatusSchema,
  egressSessionSchema,
  endSessionQuerySchema,
  explainRequestSchema,
  metricsResponseSchema,
  readEgressLogSchema,
  serviceLimits,
} from "@opencomputer/protocol/wire";
import { type FastifyInstance, fastify } from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { z } from "zod";
import type { LeafContexts } from "../certificates/leaf-contexts.ts";
import type { EgressLogBuffer } from "../egress-log/egress-log-buffer.ts";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { checkSession } from "../sessions/check-session.ts";
import type { SessionVersions } from "../sessions/session-versions.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { respondWithWireErrors } from "./wire-errors.ts";

const sandboxParameters = z.object({ sandboxId: sandboxIdSchema });
const noContent = z.null();

/**
 * Creates the API through which the control plane configures the proxy; its
 * shapes are in `@opencomputer/protocol/wire`.
 *
 * `PUT` responds with 204 and applies to every request that begins after it;
 * for a session older than the proxy's latest of the sandbox or of its address it responds with 409. `DELETE`
 * responds with 204 whether or not the session existed, and ends the sandbox's
 * connections; a session of a higher version than its own stays. Error bodies are those of the public API.
 */
export function createControlApi(deps: {
  egressLog: EgressLogBuffer;
  /** What would happen to a request under a session that is described, or the one in force. */
  explain: (
    sandboxId: string,
    question: ExplainRequest,
    signal: AbortSignal,
  ) => Promise<EgressExplanation>;
  sessions: Sessions;
  sessionVersions: SessionVersions;
  contexts: LeafContexts;
  /** In Prometheus' text format. */
  readMetrics: () => Promise<string>;
  log: Logger;
}): FastifyInstance {
  const { sessions, sessionVersions, contexts } = deps;
  const server = fastify({
    logger: false,
    bodyLimit: serviceLimits.egressSessionBytesMax,
    forceCloseConnections: true,
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  readJsonWithoutQuoting(server);
  respondWithWireErrors(server, deps.log);
  const routes = server.withTypeProvider<ZodTypeProvider>();

  routes.get("/v1/status", { schema: { response: { 200: egressProxyStatusSchema } } }, () => ({
    instanceId: deps.egressLog.instanceId,
    hasCertificateAuthority: contexts.hasAuthority,
    sessionCount: sessions.count,
  }));

  routes.get("/v1/metrics", { schema: { response: { 200: metricsResponseSchema } } }, async () => ({
    text: await deps.readMetrics(),
  }));

  routes.put(
    "/v1/certificate-authority",
    { schema: { body: certificateAuthoritySchema, response: { 204: noContent } } },
    async (request, reply) => {
      await contexts.setAuthority(request.body);
      return await reply.code(204).send(null);
    },
  );

  routes.put(
    "/v1/sessions/:sandboxId",
    {
      schema: {
        params: sandboxParameters,
        body: egressSessionSchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      if (request.params.sandboxId !== request.body.sandboxId) {
        throw new WireError(
          "invalid_request",
          `The body is a session of ${request.body.sandboxId}, the path names ${request.params.sandboxId}`,
        );
      }
      checkSession(request.body);
      sessionVersions.admit(request.body, {
        held: sessions.get(request.body.sandboxId),
        owner: sessions.findPolicy(request.body.sourceAddress),
      });
      sessions.put(request.body);
      return await reply.code(204).send(null);
    },
  );

  routes.get(
    "/v1/sessions/:sandboxId",
    {
      schema: {
        params: sandboxParameters,
        response: { 200: egressPolicySchema, 404: errorBodySchema },
      },
    },
    (request) => {
      const policy = sessions.get(request.params.sandboxId);
      if (policy === undefined) throw sessionNotFound(request.params.sandboxId);
      return describePolicy(policy);
    },
  );

  routes.delete(
    "/v1/sessions/:sandboxId",
    {
      schema: {
        params: sandboxParameters,
        querystring: endSessionQuerySchema,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { sandboxId } = request.params;
      const { version } = request.query;
      sessionVersions.ended({ sandboxId, version });
      const held = sessions.get(sandboxId);
      if (held !== undefined && held.version <= version) sessions.remove(sandboxId);
      return await reply.code(204).send(null);
    },
  );

  routes.post(
    "/v1/sessions/:sandboxId/explain",
    {
      schema: {
        params: sandboxParameters,
        body: explainRequestSchema,
        response: { 200: egressExplanationSchema, 404: errorBodySchema },
      },
    },
    (request, reply) =>
      deps.explain(request.params.sandboxId, request.body, abortWhenClosed(reply.raw)),
  );

  routes.post(
    "/v1/egress-log/read",
    { schema: { body: readEgressLogSchema } },
    async (request, reply) => {
      const batch = await deps.egressLog.read(request.body);
      return await reply.type("application/json").send(batch);
    },
  );

  return server;
}

/** The error for a sandbox that the proxy holds no session of. */
export function sessionNotFound(sandboxId: string): WireError {
  return new WireError("sandbox_not_found", `The egress proxy has no session of ${sandboxId}`);
}

/** Replaces the built-in JSON parser, whose errors quote the body, by one that does not. */
function readJsonWithoutQuoting(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, JSON.parse(body.toString()));
    } catch {
      // The cause is left out: its message has part of the body.
      done(new WireError("invalid_json", "The body is not valid JSON"));
    }
  });
}

/** Describes a policy. Secrets without host limits are left out, as in every list of limits. */
function describePolicy(policy: SessionPolicy): z.infer<typeof egressPolicySchema> {
  const limited = [...policy.secrets, ...policy.awsCredentials].filter(
    ({ allowedHosts }) => allowedHosts.length > 0,
  );
  return {
    sandboxId: policy.sandboxId,
    version: policy.version,
    machineId: policy.machineId,
    sourceAddress: policy.sourceAddress,
    mode: policy.mode,
    egressAllowlist: [...policy.egressAllowlist],
    perSecretAllowedHosts: Object.fromEntries(
      limited.map((secret) => [secret.name, [...secret.allowedHosts]]),
    ),
  };
}
