import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  createProcessMetrics,
  createRequestMetrics,
  createRequestTraces,
  createWorkMetrics,
} from "@opencomputer/process";
import { egressProxyName } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { ControlPlaneOptions } from "./control-plane-options.ts";
import { createServices } from "./create-services.ts";
import { openDataDirectoryName } from "./data-directory/data-directory.ts";
import type { OpenDatabase } from "./database/database.ts";
import { createEgressLogMetrics } from "./egress-log/egress-log-metrics.ts";
import { createApiKeyService } from "./http/admit/api-key-service.ts";
import { createAuthentication } from "./http/admit/authentication.ts";
import { createDashboardSessions } from "./http/admit/dashboard-sessions.ts";
import { createOpenRequests } from "./http/admit/open-requests.ts";
import { createRequestRate } from "./http/admit/request-rate.ts";
import { createSignedUrlAuthentication } from "./http/admit/signed-url-authentication.ts";
import { createApiServer } from "./http/create-api-server.ts";
import { createHostPolicy } from "./http/dispatch/host-policy.ts";
import { addControlPlaneMetrics } from "./http/metrics/control-plane-metrics.ts";
import { serveMetrics } from "./http/metrics/serve-metrics.ts";
import { createReconcileAfterFailure } from "./http/operate/reconcile-after-failure.ts";
import { openInstallation } from "./installation.ts";
import { createApiKeyRepository } from "./orgs/api-key-repository.ts";
import { createDashboardSessionRepository } from "./orgs/dashboard-session-repository.ts";
import { defaultOrgName, ensureOrg, OrgTransactions } from "./orgs/org-repository.ts";
import { prepareFirstKey } from "./orgs/prepare-first-key.ts";
import { createPreviewGateway } from "./preview-gateway/preview-gateway.ts";
import { createIsApiName } from "./previews/api-names.ts";
import { createPreviewService } from "./previews/preview-service.ts";
import { createPreviewSessions } from "./previews/preview-sessions.ts";
import { createSandboxTokens } from "./sandboxes/identity/sandbox-identity.ts";
import { createSignedUrlService } from "./signed-urls/signed-url-service.ts";
import { createUrlSignatures } from "./signed-urls/url-signatures.ts";
import { startMaintenance } from "./start-maintenance.ts";
import { loadKeyRing } from "./vault/load-key-ring.ts";
import { createVault } from "./vault/vault.ts";
import { createWebhookAddresses } from "./webhooks/send-message.ts";
import { createWebhookMetrics } from "./webhooks/webhook-metrics.ts";
import { startWebhookSender } from "./webhooks/webhook-sender.ts";
import { connectWorkers } from "./worker/workers.ts";

/** The API, without the probes of its health and the pages that describe it. */
const tracedRoutes = /^\/api\/(?!(health|docs|openapi\.json)$)/;
/** How long requests under way may continue when the control plane ends. */
const drainMilliseconds = 5_000;

export interface ControlPlane {
  /** The base of the API's URL, such as `http://127.0.0.1:8080`. */
  url: string;
  /** Ends what is under way, then everything else. The database stays open. */
  close(): Promise<void>;
}

/** Starts the control plane on an open database; rejects when it cannot run at all. */
export async function startControlPlane(
  { database, connections: databaseConnections }: OpenDatabase,
  options: ControlPlaneOptions,
  logger: Logger,
): Promise<ControlPlane> {
  const { dataDirectory, sandboxDomain, publicUrl, allowedHosts, trustsForwarded } = options;
  const { corsOrigins, tracer } = options;
  const now = Date.now;
  const metrics = createProcessMetrics();

  // Keys, and what they open.
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const { keyRing, isRotating, forgetPreviousKeys } = await loadKeyRing({
    configuredKey: options.encryptionKey,
    configuredPreviousKeys: options.previousEncryptionKeys,
    ...{ dataDirectory, logger },
  });
  const vault = createVault(keyRing);
  const { certificateAuthority, signingKeys } = await openInstallation(database, vault, keyRing);
  const orgTransactions = new OrgTransactions(database);
  const apiKeys = createApiKeyRepository(database, orgTransactions);
  await prepareFirstKey({
    ...{ apiKeys, dataDirectory, logger },
    orgId: await ensureOrg(database, defaultOrgName),
    presetKey: options.presetApiKey,
  });
  const tokens = createSandboxTokens(signingKeys);
  const signatures = createUrlSignatures(signingKeys);

  // Sandboxes, on the workers.
  const connections = connectWorkers({
    workerSocket: options.workerSocket,
    egressProxySockets: options.egressProxySockets,
    certificatePem: certificateAuthority.certificatePem,
    ...{ tracer, logger },
  });
  const { workers } = connections;
  const created = createServices({
    ...{ database, orgTransactions, vault, certificateAuthority, tokens, workers, options, logger },
    home: await openDataDirectoryName(dataDirectory),
    observeWake: createWorkMetrics(metrics.registry, {
      name: "opencomputer_wake",
      help: "Wakes of hibernated sandboxes",
    }),
    egressLogMetrics: createEgressLogMetrics(metrics.registry),
  });
  const { sandboxes, previews, activity, lifecycle, forApi, maintenance } = created;
  connections.adoptWith({
    reconcile: maintenance.reconcile,
    egressProxy: maintenance.fillEgressProxy,
  });

  // The API, and the previews in front of it.
  const isApiName = createIsApiName({ allowedHosts, publicUrl });
  const previewGateway = createPreviewGateway(
    {
      ...{ previews, activity, lifecycle, workers, now, logger },
      sessions: createPreviewSessions(signingKeys, now),
    },
    { sandboxDomain, publicUrl, isApiName, trustsForwarded },
  );
  addControlPlaneMetrics(metrics.registry, {
    countByState: maintenance.countByState,
    connections: databaseConnections,
    health: connections.health,
    processes: options.readProcessStates,
    processUsage: options.readProcessUsage,
  });
  const hostPolicy = createHostPolicy({ allowedHosts, corsOrigins, publicUrl, sandboxDomain });
  const sessions = createDashboardSessionRepository(database, now);
  const dashboardSessions = createDashboardSessions(
    { sessions, hostPolicy },
    { publicUrl, trustsForwarded },
  );
  const authentication = createAuthentication({ apiKeys, tokens, dashboardSessions });
  const openRequests = createOpenRequests({
    listLiveKeys: apiKeys.listLive,
    listLiveSessions: sessions.listLive,
  });
  const server = createApiServer({
    ...{ logger, previewGateway, openRequests, hostPolicy },
    requestTraces: createRequestTraces(tracer, { begins: (route) => tracedRoutes.test(route) }),
    requestMetrics: createRequestMetrics(metrics.registry, "opencomputer_api"),
    authenticate: authentication.authenticate,
    authenticateSignedUrl: createSignedUrlAuthentication({ signatures, now }),
    limitRate: createRequestRate({
      requestsPerSecondMax: options.requestsPerSecondMax,
      now: () => performance.now(),
    }),
    reconcileAfterFailure: createReconcileAfterFailure({ sandboxes, lifecycle }),
    bodyBytesMax: options.apiBodyBytesMax,
    headerBytesMax: options.apiHeaderBytesMax,
    readHealth: () => ({
      status: "ok",
      ...connections.health(),
      processes: options.readProcessStates(),
    }),
    dashboard: {
      sessions: dashboardSessions,
      findKey: apiKeys.find,
      directory: options.dashboardDirectory,
    },
    services: {
      ...forApi,
      previews: createPreviewService({
        ...{ sandboxes, previews, publicUrl, now },
        reserved: {
          ...{ sandboxDomain, isApiName },
          hasPublicUrl: publicUrl !== undefined,
          isLocalOnly: isLoopback(options.host),
        },
        endAuthorized: previewGateway.endAuthorized,
      }),
      signedUrls: createSignedUrlService({ signatures, publicUrl, now }),
      apiKeys: createApiKeyService({ apiKeys, authentication, openRequests }),
    },
  });

  await maintenance.placeLoadedEvents();
  await maintenance.abandonInterrupted();
  const metricsServer =
    options.metricsPort === undefined
      ? undefined
      : await serveMetrics({
          ...{ hostPolicy, logger },
          port: options.metricsPort,
          read: {
            "/metrics": metrics.read,
            "/metrics/worker": () => workers.forNew().readMetrics(),
            ...Object.fromEntries(
              [...workers.forNew().egressProxies.all.entries()].map(([index, egressProxy]) => [
                `/metrics/${egressProxyName(index)}`,
                () => egressProxy.readMetrics(),
              ]),
            ),
          },
        });
  const url = await server.listen({ host: options.host, port: options.port });
  const webhookSender = startWebhookSender({
    queue: created.deliveries,
    ...{ vault, logger },
    sending: createWebhookAddresses(options.webhookAddresses),
    metrics: createWebhookMetrics(metrics.registry, maintenance.countWebhooks),
  });
  const tasks = startMaintenance({
    ...{ maintenance, connections, openRequests, logger },
    rotation: isRotating
      ? { deps: { database, vault, keyRing, logger }, forgetPreviousKeys }
      : null,
  });
  logger.info({ url, apiKeyFile: join(dataDirectory, "api-key") }, "control plane listens");

  return {
    url,
    async close() {
      await tasks.stopRotation();
      const drain = setTimeout(() => server.server.closeAllConnections(), drainMilliseconds);
      await Promise.all([server.close(), created.endBuilds(), metricsServer?.close()]);
      clearTimeout(drain);
      await tasks.stop();
      await webhookSender.stop();
      await connections.close();
      await created.drainCheckpoints();
    },
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
