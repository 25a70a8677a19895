import {
  certificateAuthoritySchema,
  egressPolicySchema,
  egressProxyStatusSchema,
  egressSessionSchema,
  errorBodySchema,
  limits,
  sandboxIdSchema,
  WireError,
} from "@opencomputer/protocol";
import { type FastifyInstance, fastify } from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { z } from "zod";
import type { LeafContexts } from "../certificates/leaf-contexts.ts";
import type { SessionPolicy } from "../contract.ts";
import { checkSession } from "../sessions/check-session.ts";
import type { SessionVersions } from "../sessions/session-versions.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { answerWithWireErrors } from "./wire-errors.ts";

const sandboxParameters = z.object({ sandboxId: sandboxIdSchema });
const noContent = z.null();

/**
 * What the control plane may ask of the proxy; the shapes are protocol's
 * `internal/egress`.
 *
 * `PUT` returns 204 and holds for every request that begins after it; one that
 * is older than what the proxy holds or held is a 409. `DELETE` returns 204
 * whether or not there was a session, and ends the sandbox's connections.
 * Errors are protocol's error bodies.
 */
export function createControlApi(deps: {
  instanceId: string;
  sessions: Sessions;
  sessionVersions: SessionVersions;
  contexts: LeafContexts;
  log: Logger;
}): FastifyInstance {
  const { sessions, sessionVersions, contexts } = deps;
  const server = fastify({
    logger: false,
    bodyLimit: limits.egressSessionBytesMax,
    forceCloseConnections: true,
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  readJsonWithoutQuoting(server);
  answerWithWireErrors(server, deps.log);
  const routes = server.withTypeProvider<ZodTypeProvider>();

  routes.get("/v1/status", { schema: { response: { 200: egressProxyStatusSchema } } }, () => ({
    instanceId: deps.instanceId,
    hasCertificateAuthority: contexts.hasAuthority,
    sessionCount: sessions.count,
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
      sessionVersions.admit(request.body, sessions.get(request.body.sandboxId));
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
      if (policy === undefined) {
        throw new WireError(
          "sandbox_not_found",
          `The egress proxy has no session of ${request.params.sandboxId}`,
        );
      }
      return describePolicy(policy);
    },
  );

  routes.delete(
    "/v1/sessions/:sandboxId",
    { schema: { params: sandboxParameters, response: { 204: noContent } } },
    async (request, reply) => {
      const ended = sessions.get(request.params.sandboxId);
      if (ended !== undefined) sessionVersions.ended(ended);
      sessions.remove(request.params.sandboxId);
      return await reply.code(204).send(null);
    },
  );

  return server;
}

/** The built-in parser's error quotes the body; this one says only that it is no JSON. */
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

/** Secrets without host limits are left out, as they are wherever limits are listed. */
function describePolicy(policy: SessionPolicy): z.infer<typeof egressPolicySchema> {
  const limited = policy.secrets.filter((secret) => secret.allowedHosts.length > 0);
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
