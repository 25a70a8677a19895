import type { IncomingMessage } from "node:http";
import swagger from "@fastify/swagger";
import { fastify, LogController } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { PreviewGateway } from "../preview-gateway/preview-gateway.ts";
import type { Authentication } from "./authentication.ts";
import {
  answerError,
  answerUnknownRoute,
  pathPartCharactersMax,
  rawErrorAnswer,
} from "./error-answers.ts";
import { createHttpServer, dispatchUpgrades } from "./host-dispatch.ts";
import type { HostPolicy } from "./host-policy.ts";
import { openApiOptions } from "./open-api/document.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { createRequestRate } from "./request-rate.ts";
import { validateRequest } from "./request-validation.ts";
import { type ApiKeyRoutes, apiKeyRoutes } from "./routes/api-keys.ts";
import { type CheckpointRoutes, checkpointRoutes } from "./routes/checkpoints.ts";
import { type CommandSessionRoutes, commandSessionRoutes } from "./routes/command-sessions.ts";
import { type CommandRoutes, commandRoutes } from "./routes/commands.ts";
import { documentationRoutes } from "./routes/documentation.ts";
import { type FileRoutes, fileRoutes } from "./routes/files.ts";
import { type Health, healthRoutes } from "./routes/health.ts";
import { type HibernationRoutes, hibernationRoutes } from "./routes/hibernation.ts";
import { type PatchRoutes, patchRoutes } from "./routes/patches.ts";
import { type PreviewRoutes, previewRoutes } from "./routes/previews.ts";
import { type ProjectRoutes, projectRoutes } from "./routes/projects.ts";
import { type SandboxRoutes, sandboxRoutes } from "./routes/sandboxes.ts";
import { type ScalingRoutes, scalingRoutes } from "./routes/scaling.ts";
import { type SecretStoreRoutes, secretStoreRoutes } from "./routes/secret-stores.ts";
import { type SignedFileRoutes, signedFileRoutes } from "./routes/signed-files.ts";
import { type SignedUrlRoutes, signedUrlRoutes } from "./routes/signed-urls.ts";
import { type SnapshotRoutes, snapshotRoutes } from "./routes/snapshots.ts";
import { type TagRoutes, tagRoutes } from "./routes/tags.ts";
import { type TerminalRoutes, terminalRoutes } from "./routes/terminals.ts";
import type { SettleAfterFailure } from "./settle-after-failure.ts";
import { addWebSockets, endRefusedUpgrade } from "./web-sockets.ts";

interface ApiServer {
  logger: Logger;
  authenticate: Authentication["authenticate"];
  openRequests: OpenRequests;
  limitRate: ReturnType<typeof createRequestRate>;
  settleAfterFailure: SettleAfterFailure;
  /** Of a JSON body; the content of a file may be of any size. */
  bodyBytesMax: number;
  headerBytesMax: number;
  readHealth: () => Health;
  hostPolicy: HostPolicy;
  /** Serves requests for hosts of previews, which reach no route. */
  previewGateway: PreviewGateway;
  routes: SandboxRoutes &
    HibernationRoutes &
    ScalingRoutes &
    CheckpointRoutes &
    PatchRoutes &
    CommandRoutes &
    CommandSessionRoutes &
    TerminalRoutes &
    FileRoutes &
    SecretStoreRoutes &
    SnapshotRoutes &
    ProjectRoutes &
    PreviewRoutes &
    TagRoutes &
    SignedUrlRoutes &
    SignedFileRoutes &
    ApiKeyRoutes;
}

/** The public API, not yet listening. */
export function createApiServer({
  logger,
  authenticate,
  openRequests,
  limitRate,
  settleAfterFailure,
  bodyBytesMax,
  headerBytesMax,
  readHealth,
  hostPolicy,
  previewGateway,
  routes,
}: ApiServer) {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: bodyBytesMax,
    serverFactory: (serveApi) =>
      createHttpServer(serveApi, previewGateway, hostPolicy, headerBytesMax),
    routerOptions: { maxParamLength: pathPartCharactersMax },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.write(rawErrorAnswer(error, headerBytesMax));
      socket.destroy();
    },
    frameworkErrors: (error, request, reply) => {
      endRefusedUpgrade(request, reply);
      return answerError(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validateRequest);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerUnknownRoute);
  app.decorateRequest("orgId", "");
  app.decorateRequest("apiKeyId", null);

  // Clients send `Content-Type: application/json` with requests that have no body.
  const parseJson = app.getDefaultJsonParser("error", "ignore");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else parseJson(request, body.toString(), done);
  });

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
  addWebSockets(app);
  app.addHook("onReady", async () => {
    app.websocketServer.on("connection", (webSocket: WebSocket, request: IncomingMessage) =>
      openRequests.upgraded(request, webSocket),
    );
  });
  app.addHook("onReady", async () => dispatchUpgrades(app.server, previewGateway, hostPolicy));
  app.addHook("preClose", async () => previewGateway.close());
  app.register(healthRoutes, { readHealth });
  app.register(
    async (api) => {
      api.addHook("onRequest", authenticate);
      api.addHook("onRequest", openRequests.follow);
      api.addHook("onRequest", limitRate);
      api.addHook("onError", settleAfterFailure);
      await api.register(sandboxRoutes, routes);
      await api.register(hibernationRoutes, routes);
      await api.register(scalingRoutes, routes);
      await api.register(checkpointRoutes, routes);
      await api.register(patchRoutes, routes);
      await api.register(previewRoutes, routes);
      await api.register(tagRoutes, routes);
      await api.register(commandRoutes, routes);
      await api.register(commandSessionRoutes, routes);
      await api.register(terminalRoutes, routes);
      await api.register(fileRoutes, routes);
      await api.register(signedUrlRoutes, routes);
      await api.register(secretStoreRoutes, routes);
      await api.register(snapshotRoutes, routes);
      await api.register(projectRoutes, routes);
      await api.register(apiKeyRoutes, routes);
    },
    { prefix: "/api" },
  );
  app.register(documentationRoutes, { prefix: "/api" });
  app.register(signedFileRoutes, { ...routes, prefix: "/api" });
  return app;
}
