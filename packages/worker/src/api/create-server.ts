import {
  createProcessMetrics,
  createRequestMetrics,
  createRequestTraces,
  type Tracer,
  toWireError,
} from "@opencomputer/process";
import { sandboxIdSchema, WireError } from "@opencomputer/protocol/api";
import {
  metricsResponseSchema,
  prepareSandboxRequestSchema,
  sandboxUseSchema,
  startSandboxRequestSchema,
  trustRequestSchema,
  workerSandboxListSchema,
  workerSandboxSchema,
  workerStatusSchema,
  workerUsageSchema,
} from "@opencomputer/protocol/wire";
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  fastify,
  LogController,
} from "fastify";
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";

import { z } from "zod";
import { createKeyedCommands } from "../idempotency/create-keyed-commands.ts";
import type { Worker } from "../start/create-worker.ts";
import { commandRoutes } from "./command-routes.ts";
import { countUse } from "./count-use.ts";
import { fileRoutes } from "./file-routes.ts";
import { lifeRoutes } from "./life-routes.ts";
import { scalingRoutes } from "./scaling-routes.ts";
import { serveTunnels } from "./serve-tunnels.ts";
import { sessionRoutes } from "./session-routes.ts";
import { terminalRoutes } from "./terminal-routes.ts";
import { addWorkerMetrics } from "./worker-metrics.ts";

/** Large enough for the environment variables of a sandbox at their limits. */
const bodyBytesMax = 64 * 1024 * 1024;
const errorTexts = {
  bodyTooLarge: `The body is larger than ${bodyBytesMax} bytes, the maximum for a request to the worker`,
  internal: "The worker failed to serve the request; its log has the reason",
};
const sandboxParamsSchema = z.object({ sandboxId: sandboxIdSchema });

/** The worker's HTTP server, not listening yet. The body of every error response is that of a `WireError`. */
export function createServer(
  worker: Worker,
  tracer: Tracer,
  log: FastifyBaseLogger,
): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    // Commands and files may take long; each has its own bound.
    requestTimeout: 0,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 64 },
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler<FastifyError | WireError>((error, request, reply) => {
    const wireError = toWireError(error, errorTexts);
    if (wireError.status >= 500) {
      request.log.error({ err: error, method: request.method, route: request.routeOptions.url });
    }
    return reply.status(wireError.status).send(wireError.toBody());
  });
  server.setNotFoundHandler((request, reply) => {
    const error = new WireError("not_found", `There is no ${request.method} ${request.url}`);
    return reply.status(error.status).send(error.toBody());
  });
  // Each trace begins in the control plane.
  const traces = createRequestTraces(tracer, { begins: () => false });
  server.addHook("onRequest", traces.onRequest);
  server.addHook("preValidation", traces.preValidation);
  server.addHook("onError", traces.onError);
  server.addHook("onResponse", traces.onResponse);
  const metrics = createProcessMetrics();
  addWorkerMetrics(metrics.registry, worker);
  const requestMetrics = createRequestMetrics(metrics.registry, "opencomputer_worker");
  server.addHook("onError", requestMetrics.onError);
  server.addHook("onResponse", requestMetrics.onResponse);
  server.addHook("onRequest", async () => worker.noteActivity());
  server.addHook("onRequest", async (request, reply) => countUse(worker.useWatch, request, reply));
  server.addHook("onResponse", async (request, reply) => {
    worker.noteActivity();
    const { method, routeOptions } = request;
    request.log.debug({ method, route: routeOptions.url, status: reply.statusCode }, "request");
  });

  const app = server.withTypeProvider<ZodTypeProvider>();
  app.get("/v1/status", { schema: { response: { 200: workerStatusSchema } } }, () =>
    worker.status(),
  );
  app.get("/v1/metrics", { schema: { response: { 200: metricsResponseSchema } } }, async () => ({
    text: await metrics.read(),
  }));
  app.get("/v1/usage", { schema: { response: { 200: workerUsageSchema } } }, () =>
    worker.readUsage(),
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
      // Before the first sample, a running sandbox counts as just used.
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
