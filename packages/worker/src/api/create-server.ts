import {
  type ErrorCode,
  prepareSandboxRequestSchema,
  sandboxIdSchema,
  sandboxUseSchema,
  startSandboxRequestSchema,
  trustRequestSchema,
  WireError,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
} from "@opencomputer/protocol";
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  fastify,
  LogController,
} from "fastify";
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";

import { z } from "zod";
import type { Worker } from "../create-worker.ts";
import { createKeyedCommands } from "../idempotency/create-keyed-commands.ts";
import { commandRoutes } from "./command-routes.ts";
import { countUse } from "./count-use.ts";
import { fileRoutes } from "./file-routes.ts";
import { lifeRoutes } from "./life-routes.ts";
import { scalingRoutes } from "./scaling-routes.ts";
import { serveTunnels } from "./serve-tunnels.ts";
import { sessionRoutes } from "./session-routes.ts";
import { terminalRoutes } from "./terminal-routes.ts";

/** Environment variables of a sandbox at their limits fit in. */
const bodyBytesMax = 64 * 1024 * 1024;
const sandboxParamsSchema = z.object({ sandboxId: sandboxIdSchema });

/** The worker's HTTP server, not listening yet. Every error answer is a `WireError`'s body. */
export function createServer(worker: Worker, log: FastifyBaseLogger): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    // A command and a file take as long as they take; each has a bound of its own.
    requestTimeout: 0,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 64 },
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler<FastifyError | WireError>((error, request, reply) => {
    const wireError = toWireError(error);
    if (wireError.status >= 500) {
      request.log.error({ err: error, method: request.method, route: request.routeOptions.url });
    }
    return reply.status(wireError.status).send(wireError.toBody());
  });
  server.setNotFoundHandler((request, reply) => {
    const error = new WireError("not_found", `There is no ${request.method} ${request.url}`);
    return reply.status(error.status).send(error.toBody());
  });
  server.addHook("onRequest", async () => worker.noteActivity());
  server.addHook("onRequest", async (request, reply) => countUse(worker.useWatch, request, reply));
  server.addHook("onResponse", async () => worker.noteActivity());

  const app = server.withTypeProvider<ZodTypeProvider>();
  app.get("/v1/status", { schema: { response: { 200: workerStatusSchema } } }, () =>
    worker.status(),
  );
  app.put("/v1/trust", { schema: { body: trustRequestSchema } }, (request, reply) => {
    worker.trust(request.body.certificatePem);
    return reply.status(204).send();
  });
  app.post(
    "/v1/sandboxes",
    { schema: { body: prepareSandboxRequestSchema, response: { 201: workerSandboxSchema } } },
    async (request, reply) => reply.status(201).send(await worker.sandboxes.prepare(request.body)),
  );
  app.get("/v1/sandboxes", { schema: { response: { 200: workerSandboxListSchema } } }, () =>
    worker.sandboxes.list(),
  );
  app.get(
    "/v1/sandboxes/:sandboxId",
    { schema: { params: sandboxParamsSchema, response: { 200: workerSandboxSchema } } },
    (request) => worker.sandboxes.get(request.params.sandboxId),
  );
  app.post(
    "/v1/sandboxes/:sandboxId/start",
    {
      schema: {
        params: sandboxParamsSchema,
        body: startSandboxRequestSchema,
        response: { 200: workerSandboxSchema },
      },
    },
    ({ params, body }) => worker.sandboxes.start(params.sandboxId, body?.restartSessions),
  );
  app.get(
    "/v1/sandboxes/:sandboxId/use",
    { schema: { params: sandboxParamsSchema, response: { 200: sandboxUseSchema } } },
    ({ params: { sandboxId } }) => {
      if (worker.sandboxes.get(sandboxId).state !== "running") {
        return { lastUsedAt: null, operations: 0, cpuLastUsedAt: null };
      }
      const { lastUsedAt, operations } = worker.useWatch.useOf(sandboxId);
      // Until its first sample a sandbox that runs counts as used just now.
      const cpuLastUsedAt = worker.cpuWatch.lastUsedAt(sandboxId) ?? new Date();
      return {
        lastUsedAt: lastUsedAt?.toISOString() ?? null,
        operations,
        cpuLastUsedAt: cpuLastUsedAt.toISOString(),
      };
    },
  );
  app.delete(
    "/v1/sandboxes/:sandboxId",
    { schema: { params: sandboxParamsSchema } },
    async (request, reply) => {
      await worker.sandboxes.remove(request.params.sandboxId);
      worker.useWatch.forget(request.params.sandboxId);
      return reply.status(204).send();
    },
  );
  const keyed = createKeyedCommands();
  server.register(commandRoutes, { worker, keyed });
  server.register(sessionRoutes, { worker, keyed });
  server.register(terminalRoutes, { worker });
  server.register(fileRoutes, { worker });
  server.register(lifeRoutes, { worker });
  server.register(scalingRoutes, { worker });
  const tunnels = serveTunnels(
    server.server,
    {
      sandboxes: worker.sandboxes,
      onUse: () => worker.noteActivity(),
      watchUse: worker.useWatch.watch,
    },
    log,
  );
  server.addHook("preClose", async () => tunnels.close());
  return server;
}

/** Codes of the HTTP framework's own refusals, as codes of the product. */
const frameworkErrors: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "invalid_json",
  FST_ERR_CTP_EMPTY_JSON_BODY: "invalid_json",
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
};

function toWireError(error: FastifyError | WireError): WireError {
  if (error instanceof WireError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map(
      ({ instancePath, message }) =>
        `${instancePath.slice(1) || error.validationContext}: ${message}`,
    );
    return new WireError("invalid_request", issues.join("; "));
  }
  if (error instanceof SyntaxError) {
    return new WireError("invalid_json", "The body is not valid JSON", { cause: error });
  }
  const code = frameworkErrors[error.code] ?? "internal_error";
  const message =
    code === "internal_error"
      ? "The worker failed to serve the request; its log tells why"
      : error.message;
  return new WireError(code, message, { cause: error });
}
