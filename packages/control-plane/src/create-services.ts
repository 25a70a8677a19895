import type { ObserveWork } from "@opencomputer/process";
import { limits } from "@opencomputer/protocol/api";
import type { EgressLogBatch } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { CertificateAuthority } from "./certificate-authority/make-certificate-authority.ts";
import {
  createCheckpointMaintenanceRepository,
  createCheckpointRepository,
} from "./checkpoints/checkpoint-repository.ts";
import { createCheckpointService } from "./checkpoints/checkpoint-service.ts";
import { findCheckpoint } from "./checkpoints/find-checkpoint.ts";
import { createCheckpointMaker } from "./checkpoints/make-checkpoint.ts";
import { createReconcileCheckpoints } from "./checkpoints/reconcile-checkpoints.ts";
import type { ControlPlaneOptions } from "./control-plane-options.ts";
import type { Database } from "./database/database.ts";
import { createEgressLogMaintenance } from "./egress-log/egress-log-maintenance.ts";
import type { EgressLogMetrics } from "./egress-log/egress-log-metrics.ts";
import { createEgressLogRepository } from "./egress-log/egress-log-repository.ts";
import { createEgressLogService } from "./egress-log/egress-log-service.ts";
import { storeEgressLog } from "./egress-log/store-egress-log.ts";
import { createFillEgressProxy } from "./egress-sessions/fill-egress-proxy.ts";
import { createProxyHandOver } from "./egress-sessions/proxy-hand-over.ts";
import { createEventMaintenance } from "./events/event-maintenance.ts";
import { createEventRepository } from "./events/event-repository.ts";
import { createEventService } from "./events/event-service.ts";
import { createFormerSecretRepository } from "./former-secrets/former-secret-repository.ts";
import { createSandboxOperations } from "./http/operate/sandbox-operations.ts";
import { createBuilders } from "./images/builders.ts";
import { createImageBuilds } from "./images/image-builds.ts";
import { createImageMaintenance } from "./images/image-maintenance.ts";
import {
  createImageMaintenanceRepository,
  createImageRepository,
} from "./images/image-repository.ts";
import { createSnapshotRepository } from "./images/snapshot-repository.ts";
import { createSnapshots } from "./images/snapshots.ts";
import type { OrgTransactions } from "./orgs/org-repository.ts";
import { createPatchRepository } from "./patches/patch-repository.ts";
import { createPatchService } from "./patches/patch-service.ts";
import { createPreviewRepository } from "./previews/preview-repository.ts";
import { createProjectRepository } from "./projects/project-repository.ts";
import { createSandbox } from "./sandboxes/create/create-sandbox.ts";
import type { SandboxTokens } from "./sandboxes/identity/sandbox-identity.ts";
import { createSandboxActivity } from "./sandboxes/lifecycle/sandbox-activity.ts";
import { createSandboxLifecycle } from "./sandboxes/lifecycle/sandbox-lifecycle.ts";
import { createSandboxRemoval } from "./sandboxes/lifecycle/sandbox-removal.ts";
import { createTransitions } from "./sandboxes/lifecycle/transitions.ts";
import { createSandboxResponses } from "./sandboxes/responses/sandbox-responses.ts";
import { createSandboxMaintenanceRepository } from "./sandboxes/rows/sandbox-maintenance-repository.ts";
import { createSandboxRepository } from "./sandboxes/rows/sandbox-repository.ts";
import { createTagRepository } from "./sandboxes/rows/tag-repository.ts";
import { createTransitionRepository } from "./sandboxes/rows/transition-repository.ts";
import { createScalingService } from "./sandboxes/scaling/scaling-service.ts";
import { createSandboxService } from "./sandboxes/service/sandbox-service.ts";
import { createTagService } from "./sandboxes/service/tag-service.ts";
import { createIdleSweep } from "./sandboxes/sweeps/idle-sweep.ts";
import { createReconcileWithWorker } from "./sandboxes/sweeps/reconcile-with-worker.ts";
import { createSecretRepository } from "./secret-stores/secret-repository.ts";
import { createSecretStoreRepository } from "./secret-stores/secret-store-repository.ts";
import { createSecretStoreService } from "./secret-stores/secret-store-service.ts";
import { storeUsage } from "./usage/store-usage.ts";
import { createUsageMaintenance } from "./usage/usage-maintenance.ts";
import { createUsageRepository } from "./usage/usage-repository.ts";
import { createUsageSampler } from "./usage/usage-sampler.ts";
import { createUsageService } from "./usage/usage-service.ts";
import type { Vault } from "./vault/vault.ts";
import { createDeliveryQueue } from "./webhooks/delivery-queue.ts";
import { createDeliveryRepository } from "./webhooks/delivery-repository.ts";
import { createWebhookMaintenance } from "./webhooks/webhook-maintenance.ts";
import { createWebhookRepository } from "./webhooks/webhook-repository.ts";
import { createWebhookService } from "./webhooks/webhook-service.ts";
import type { Workers } from "./worker/workers.ts";

export type Services = ReturnType<typeof createServices>;

/**
 * Everything between the database, the workers and the API: sandboxes and what
 * belongs to them, the services that routes call, and the maintenance of both.
 */
export function createServices(deps: {
  database: Database;
  orgTransactions: OrgTransactions;
  vault: Vault;
  certificateAuthority: CertificateAuthority;
  tokens: SandboxTokens;
  workers: Workers;
  /** The name of the data directory, which one control plane at a time has. */
  home: string;
  options: ControlPlaneOptions;
  observeWake: ObserveWork;
  egressLogMetrics: EgressLogMetrics;
  logger: Logger;
}) {
  const { database, orgTransactions, vault, workers, options, egressLogMetrics, logger } = deps;
  const { operatorPlacements, sandboxDomain, tracer } = options;
  const now = Date.now;

  const formerSecrets = createFormerSecretRepository(vault);
  const secretDeps = { database, orgTransactions, vault, formerSecrets, operatorPlacements };
  const stores = createSecretStoreRepository(secretDeps);
  const secrets = createSecretRepository(secretDeps);
  const projects = createProjectRepository(database, orgTransactions);
  const sandboxes = createSandboxRepository(database);
  const sandboxMaintenance = createSandboxMaintenanceRepository(database);
  const tags = createTagRepository(database);
  const previews = createPreviewRepository(database, orgTransactions);
  const checkpoints = createCheckpointRepository(database);
  const checkpointMaintenance = createCheckpointMaintenanceRepository(database);
  const patches = createPatchRepository(database);
  const egressLogMaintenance = createEgressLogMaintenance(
    database,
    {
      egressLogDaysMax: options.egressLogDaysMax,
      entriesPerSandboxMax: limits.egressLogEntriesPerSandboxMax,
      entriesPerOrgMax: limits.egressLogEntriesPerOrgMax,
    },
    egressLogMetrics.countDeleted,
  );
  const usageMaintenance = createUsageMaintenance(database, {
    rowsPerOrgMax: limits.usageRowsPerOrgMax,
  });
  const usageSampler = createUsageSampler({
    ...{ workers, now, logger },
    store: (readings) => storeUsage(database, readings),
  });
  const snapshotRows = createSnapshotRepository(database, orgTransactions, options);
  const eventMaintenance = createEventMaintenance(database, options);
  const webhooks = createWebhookRepository(database);
  const webhookMaintenance = createWebhookMaintenance(database);

  const activity = createSandboxActivity({
    now,
    write: (sandboxId, at) => {
      sandboxMaintenance.touch(sandboxId, at).catch((error: unknown) => {
        logger.warn({ sandboxId, err: error }, "the idle timer was not written");
      });
    },
  });
  const handOver = createProxyHandOver({ ...deps, sandboxes, formerSecrets });
  const removal = createSandboxRemoval({
    ...{ sandboxes, previews, workers, handOver, activity, tracer, logger },
    maintenance: sandboxMaintenance,
  });
  const transitions = createTransitions({
    transitions: createTransitionRepository(database),
    ...{ sandboxes, home: deps.home, logger },
  });
  const machine = {
    ...{ transitions, orgTransactions, sandboxes, patches, handOver, removal, workers },
    ...{ tracer, logger },
    sandboxesPerOrgMax: options.sandboxesPerOrgMax,
    sandboxesPerKeyMax: options.sandboxesPerKeyMax,
    observeWake: deps.observeWake,
  };
  const lifecycle = createSandboxLifecycle({ ...machine, activity });
  const creation = {
    ...{ ...machine, vault, formerSecrets, operatorPlacements },
    diskMBPerOrgMax: options.diskMBPerOrgMax,
  };

  const builders = createBuilders({
    create: (orgId, plan, signal) =>
      createSandbox(creation, { orgId, apiKeyId: null }, plan, signal),
    maintenance: sandboxMaintenance,
    removal,
  });
  const imageBuilds = createImageBuilds({
    images: createImageRepository(database, orgTransactions, options),
    sources: options.buildSources,
    ...{ database, builders, workers, logger },
  });
  const snapshots = createSnapshots({ snapshots: snapshotRows, imageBuilds, logger });
  const imageMaintenance = createImageMaintenance({
    images: createImageMaintenanceRepository(database),
    snapshots: snapshotRows,
    ...{ builders, workers, now, logger },
  });

  const checkpointMaker = createCheckpointMaker({
    ...{ orgTransactions, checkpoints, sandboxes, activity, lifecycle, workers },
    ...{ vault, formerSecrets },
    maintenance: checkpointMaintenance,
    diskMBPerOrgMax: options.diskMBPerOrgMax,
    ...{ tracer, logger },
  });

  const reconcileSandboxes = createReconcileWithWorker({
    maintenance: sandboxMaintenance,
    ...{ workers, lifecycle, logger },
  });
  const reconcileCheckpoints = createReconcileCheckpoints({
    maintenance: checkpointMaintenance,
    maker: checkpointMaker,
    otherOwners: [imageMaintenance.knownCheckpoints],
    ...{ workers, now, logger },
  });

  const machineReplacement = { ...machine, activity, lifecycle };
  const responses = createSandboxResponses({ activity, tokens: deps.tokens, sandboxDomain });

  return {
    ...{ sandboxes, previews, activity, lifecycle },
    forApi: {
      sandboxes: createSandboxService({
        ...{ orgTransactions, sandboxes, workers, removal, lifecycle, activity, responses },
        webhooks,
        create: { ...creation, database, projects, imageBuilds, snapshots },
      }),
      operations: createSandboxOperations(
        { sandboxes, activity, lifecycle, workers },
        {
          operationsMax: limits.commandsPerSandboxMax,
          // The agent refuses more than half of them; a guest may have replaced it.
          connectionsMax: 2 * limits.attachedClientsMax,
        },
      ),
      scaling: createScalingService(machineReplacement),
      checkpoints: createCheckpointService({
        ...{ sandboxes, checkpoints, machineReplacement, responses },
        maker: checkpointMaker,
        forking: { ...creation, checkpoints },
      }),
      patches: createPatchService({
        patches,
        findCheckpoint: (orgId, checkpointId) => findCheckpoint(checkpoints, orgId, checkpointId),
      }),
      tags: createTagService({ sandboxes, tags }),
      egressLogs: createEgressLogService({
        entries: createEgressLogRepository(database),
        ...{ sandboxes, workers },
      }),
      secretStores: createSecretStoreService({ stores, secrets, handOver, logger }),
      snapshots,
      projects,
      events: createEventService({ events: createEventRepository(database) }),
      webhooks: createWebhookService({
        ...{ orgTransactions, vault, webhooks },
        deliveries: createDeliveryRepository(database),
      }),
      usage: createUsageService({
        usage: createUsageRepository(database),
        refresh: usageSampler.refresh,
        ...{ sandboxes, now },
      }),
    },
    maintenance: {
      fillEgressProxy: createFillEgressProxy({
        maintenance: sandboxMaintenance,
        ...{ handOver, logger },
      }),
      sweepIdle: createIdleSweep({
        maintenance: sandboxMaintenance,
        ...{ workers, activity, lifecycle, removal, now, logger },
      }),
      reconcileSandboxes,
      countByState: sandboxMaintenance.countByState,
      /** Brings the rows and everything that the workers have together. */
      async reconcile(): Promise<void> {
        await removal.abandonCreates();
        await removal.finishInterrupted();
        await reconcileSandboxes();
        await imageMaintenance.deleteLost();
        await reconcileCheckpoints();
      },
      /** Marks what an earlier process was making, which nobody waits for, to be removed. */
      async abandonInterrupted(): Promise<void> {
        await transitions.endFormer();
        await removal.abandonCreates();
        await imageMaintenance.abandonBuilds();
      },
      deleteExpiredSecrets: () => formerSecrets.deleteExpired(database, new Date()),
      async storeEgressLog(batch: EgressLogBatch): Promise<void> {
        const stored = await storeEgressLog(database, batch);
        egressLogMetrics.countRead({ stored, ignored: batch.lines.length - stored });
      },
      countUnstorable: egressLogMetrics.countUnstorable,
      async maintainEgressLog(): Promise<void> {
        await egressLogMaintenance.recordDueEvents();
        await egressLogMaintenance.deleteExpired();
      },
      sampleUsage: usageSampler.sample,
      async maintainUsage(): Promise<void> {
        await usageMaintenance.joinHours(new Date());
        await usageMaintenance.deleteExpired(new Date());
      },
      deleteUnusedImages: imageMaintenance.sweep,
      deleteExpiredEvents: eventMaintenance.deleteExpired,
      deleteExpiredDeliveries: webhookMaintenance.deleteExpired,
      countWebhooks: webhookMaintenance.count,
      /** Has events of another database server, whose dump was loaded, precede all others. */
      placeLoadedEvents: eventMaintenance.placeLoaded,
    },
    /** Deliveries to webhooks. */
    deliveries: createDeliveryQueue(database),
    /** Gives up image builds, and waits until nothing of them is left. */
    endBuilds: imageBuilds.close,
    /** Resolves when no checkpoint is being made any more. */
    drainCheckpoints: checkpointMaker.drain,
  };
}
