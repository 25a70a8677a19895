import { createRequestTraces, Tracer } from "@opencomputer/process";
import { limits } from "@opencomputer/protocol/api";
import { createApiServer } from "../http/create-api-server.ts";
import { createHostPolicy } from "../http/dispatch/host-policy.ts";
import { createRecordingLogger } from "./recording-logger.ts";

/** Creates the API's routes with nothing behind them: no request gets past authentication. */
export function createBareApiServer() {
  return createApiServer({
    logger: createRecordingLogger().logger,
    authenticate: async () => {
      throw new Error("This server authenticates no request");
    },
    limitRate: async () => undefined,
    openRequests: {
      follow: async () => undefined,
      upgraded: () => undefined,
      endUnauthorized: async () => undefined,
    },
    hostPolicy: createHostPolicy({
      allowedHosts: [],
      corsOrigins: [],
      publicUrl: undefined,
      sandboxDomain: "sandbox.localhost",
    }),
    reconcileAfterFailure: async () => undefined,
    requestTraces: createRequestTraces(new Tracer(), { begins: () => false }),
    requestMetrics: { onError: async () => undefined, onResponse: async () => undefined },
    bodyBytesMax: limits.apiBodyBytesMax,
    headerBytesMax: limits.apiHeaderBytesMax,
    readHealth: () => ({
      ...{ status: "ok", ready: false, limitsEnforced: null },
      ...{ quarantinedCount: null, processes: [] },
    }),
    previewGateway: {
      request: (_request, _response, serveApi) => serveApi(),
      upgrade: (_request, _socket, _head, serveApi) => serveApi(),
      endAuthorized: () => undefined,
      close: () => undefined,
    },
    authenticateSignedUrl: async () => undefined,
    dashboard: {
      sessions: {
        open: async () => undefined,
        find: async () => undefined,
        end: async () => undefined,
        assertOwnPage: () => undefined,
      },
      findKey: async () => undefined,
      directory: null,
    },
    services: {} as never,
  });
}
