import type { IncomingMessage } from "node:http";
import cookie from "@fastify/cookie";
import swagger from "@fastify/swagger";
import type { RequestMetrics, RequestTraces } from "@opencomputer/process";
import type { Health } from "@opencomputer/protocol/api";
import { fastify, LogController } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { CheckpointService } from "../checkpoints/checkpoint-service.ts";
import type { EgressLogService } from "../egress-log/egress-log-service.ts";
import type { EventService } from "../events/event-service.ts";
import type { Snapshots } from "../images/snapshots.ts";
import type { ApiKeyRepository } from "../orgs/api-key-repository.ts";
import type { PatchService } from "../patches/patch-service.ts";
import type { PreviewGateway } from "../preview-gateway/preview-gateway.ts";
import type { PreviewService } from "../previews/preview-service.ts";
import type { ProjectRepository } from "../projects/project-repository.ts";
import type { ScalingService } from "../sandboxes/scaling/scaling-service.ts";
import type { SandboxService } from "../sandboxes/service/sandbox-service.ts";
import type { TagService } from "../sandboxes/service/tag-service.ts";
import type { SecretStoreService } from "../secret-stores/secret-store-service.ts";
import type { SignedUrlService } from "../signed-urls/signed-url-service.ts";
import type { UsageService } from "../usage/usage-service.ts";
import type { WebhookService } from "../webhooks/webhook-service.ts";
import type { ApiKeyService } from "./admit/api-key-service.ts";
import type { Authentication } from "./admit/authentication.ts";
import type { DashboardSessions } from "./admit/dashboard-sessions.ts";
import type { OpenRequests } from "./admit/open-requests.ts";
import type { createRequestRate } from "./admit/request-rate.ts";
import type { createSignedUrlAuthentication } from "./admit/signed-url-authentication.ts";
import { addCrossOrigin } from "./dispatch/cross-origin.ts";
import { createHttpServer, dispatchUpgrades } from "./dispatch/host-dispatch.ts";
import type { HostPolicy } from "./dispatch/host-policy.ts";
import { addWebSockets, endRefusedUpgrade } from "./dispatch/web-sockets.ts";
import { createLargeMessageHooks } from "./messages/count-large-messages.ts";
import { openApiOptions } from "./open-api/document.ts";
import type { ReconcileAfterFailure } from "./operate/reconcile-after-failure.ts";
import type { SandboxOperations } from "./operate/sandbox-operations.ts";
import {
  pathPartCharactersMax,
  rawErrorResponse,
  respondToUnknownRoute,
  respondWithError,
} from "./respond/error-responses.ts";
import { withoutCredentials } from "./respond/without-credentials.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { checkpointRoutes } from "./routes/checkpoints.ts";
import { commandSessionRoutes } from "./routes/command-sessions.ts";
import { commandRoutes } from "./routes/commands.ts";
import { dashboardFileRoutes } from "./routes/dashboard-files.ts";
import { dashboardSessionRoutes } from "./routes/dashboard-session.ts";
import { documentationRoutes } from "./routes/documentation.ts";
import { egressLogRoutes } from "./routes/egress-log.ts";
import { eventRoutes } from "./routes/events.ts";
import { fileRoutes } from "./routes/files.ts";
import { healthRoutes } from "./routes/health.ts";
import { hibernationRoutes } from "./routes/hibernation.ts";
import { patchRoutes } from "./routes/patches.ts";
import { previewRoutes } from "./routes/previews.ts";
import { projectRoutes } from "./routes/projects.ts";
import { sandboxRoutes } from "./routes/sandboxes.ts";
import { scalingRoutes } from "./routes/scaling.ts";
import { secretStoreRoutes } from "./routes/secret-stores.ts";
import { signedFileRoutes } from "./routes/signed-files.ts";
import { signedUrlRoutes } from "./routes/signed-urls.ts";
import { snapshotRoutes } from "./routes/snapshots.ts";
import { tagRoutes } from "./routes/tags.ts";
import { terminalRoutes } from "./routes/terminals.ts";
import { usageRoutes } from "./routes/usage.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { addBodyParsers } from "./validate/body-parsers.ts";
import { validateRequest } from "./validate/request-validation.ts";

/** What the routes call. */
export interface ApiServices {
  sandboxes: SandboxService;
  operations: SandboxOperations;
  scaling: ScalingService;
  checkpoints: CheckpointService;
  patches: PatchService;
  previews: PreviewService;
  tags: TagService;
  signedUrls: SignedUrlService;
  egressLogs: EgressLogService;
  secretStores: SecretStoreService;
  snapshots: Snapshots;
  projects: ProjectRepository;
  apiKeys: ApiKeyService;
  events: EventService;
  webhooks: WebhookService;
  usage: UsageService;
}

interface ApiServer {
  logger: Logger;
  authenticate: Authentication["authenticate"];
  openRequests: OpenRequests;
  limitRate: ReturnType<typeof createRequestRate>;
  reconcileAfterFailure: ReconcileAfterFailure;
  requestTraces: RequestTraces;
  requestMetrics: RequestMetrics;
  /** The largest JSON body; the content of a file may be of any size. */
  bodyBytesMax: number;
  headerBytesMax: number;
  readHealth: () => Health;
  hostPolicy: HostPolicy;
  /** Serves requests for hosts of previews, which reach no route. */
  previewGateway: PreviewGateway;
  authenticateSignedUrl: ReturnType<typeof createSignedUrlAuthentication>;
  dashboard: {
    sessions: DashboardSessions;
    findKey: ApiKeyRepository["find"];
    /** Where its built files are; null serves none. */
    directory: string | null;
  };
  services: ApiServices;
}

/** The public API, not yet listening. */
export function createApiServer({
  logger,
  authenticate,
  openRequests,
  limitRate,
  reconcileAfterFailure,
  requestTraces,
  requestMetrics,
  bodyBytesMax,
  headerBytesMax,
  readHealth,
  hostPolicy,
  previewGateway,
  authenticateSignedUrl,
  dashboard,
  services,
}: ApiServer) {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    serverFactory: (serveApi) =>
      createHttpServer(serveApi, previewGateway, hostPolicy, headerBytesMax),
    routerOptions: { maxParamLength: pathPartCharactersMax },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.write(rawErrorResponse(error, headerBytesMax));
      socket.destroy();
    },
    frameworkErrors: (error, request, reply) => {
      endRefusedUpgrade(request, reply);
      return respondWithError(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validateRequest);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(respondWithError);
  app.setNotFoundHandler(respondToUnknownRoute);
  app.decorateRequest("orgId", "");
  app.decorateRequest("apiKeyId", null);
  app.decorateRequest("dashboardSession", null);

  addBodyParsers(app);

  app.addHook("onRequest", requestTraces.onRequest);
  app.addHook("preValidation", requestTraces.preValidation);
  app.addHook("onError", requestTraces.onError);
  app.addHook("onResponse", requestTraces.onResponse);

  // No browser takes the content of a sandbox's file, or an error that quotes it, for a page or a script.
  app.addHook("onRequest", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
  });

  const largeMessages = createLargeMessageHooks(logger);
  app.addHook("preParsing", largeMessages.preParsing);
  app.addHook("onSend", largeMessages.onSend);
  app.addHook("onError", requestMetrics.onError);
  app.addHook("onResponse", requestMetrics.onResponse);
  app.addHook("onResponse", async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        durationMilliseconds: Math.round(reply.elapsedTime * 10) / 10,
      },
      "request",
    );
  });

  app.register(swagger, openApiOptions);
  addCrossOrigin(app, hostPolicy);
  app.register(cookie);
  addWebSockets(app);
  app.addHook("onReady", async () => {
    app.websocketServer.on("connection", (webSocket: WebSocket, request: IncomingMessage) =>
      openRequests.upgraded(request, webSocket),
    );
  });
  app.addHook("onReady", async () => dispatchUpgrades(app.server, previewGateway, hostPolicy));
  app.addHook("preClose", async () => previewGateway.close());
  app.register(healthRoutes, { readHealth });
  const { operations, sandboxes, scaling, checkpoints, patches, previews } = services;
  const { tags, signedUrls, egressLogs, secretStores, snapshots, projects, apiKeys } = services;
  const { events, webhooks, usage } = services;
  app.register(
    async (api) => {
      api.addHook("onRequest", authenticate);
      api.addHook("onRequest", openRequests.follow);
      api.addHook("onRequest", limitRate);
      api.addHook("onError", reconcileAfterFailure);
      api.addHook("preSerialization", async (request, _reply, body) =>
        request.dashboardSession === null ? body : withoutCredentials(body),
      );
      await api.register(sandboxRoutes, { sandboxes });
      await api.register(hibernationRoutes, { sandboxes });
      await api.register(scalingRoutes, { scaling });
      await api.register(checkpointRoutes, { checkpoints, operations });
      await api.register(patchRoutes, { patches });
      await api.register(previewRoutes, { previews });
      await api.register(tagRoutes, { tags });
      await api.register(egressLogRoutes, { egressLogs });
      await api.register(commandRoutes, { operations });
      await api.register(commandSessionRoutes, { operations });
      await api.register(terminalRoutes, { operations });
      await api.register(fileRoutes, { operations });
      await api.register(signedUrlRoutes, { signedUrls, operations });
      await api.register(secretStoreRoutes, { secretStores });
      await api.register(snapshotRoutes, { snapshots });
      await api.register(projectRoutes, { projects, secretStores });
      await api.register(apiKeyRoutes, { apiKeys });
      await api.register(eventRoutes, { events });
      await api.register(webhookRoutes, { webhooks });
      await api.register(usageRoutes, { usage });
    },
    { prefix: "/api" },
  );
  app.register(documentationRoutes, { prefix: "/api" });
  app.register(signedFileRoutes, { operations, authenticateSignedUrl, prefix: "/api" });
  app.register(dashboardSessionRoutes, dashboard);
  if (dashboard.directory !== null) {
    app.register(dashboardFileRoutes, { directory: dashboard.directory });
  }
  return app;
}
