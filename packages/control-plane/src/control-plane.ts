import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { limits, type ProcessState } from "@opencomputer/protocol";
import type { Logger } from "pino";
import {
  createCheckpointRepository,
  createCheckpointUpkeepRepository,
} from "./checkpoints/checkpoint-repository.ts";
import { createForkCheckpoint } from "./checkpoints/fork-checkpoint.ts";
import { createCheckpointMaker } from "./checkpoints/make-checkpoint.ts";
import { createPatchRepository } from "./checkpoints/patch-repository.ts";
import { createReconcileCheckpoints } from "./checkpoints/reconcile-checkpoints.ts";
import { createRemoveCheckpoint } from "./checkpoints/remove-checkpoint.ts";
import { createRunPatches } from "./checkpoints/run-patches.ts";
import type { OpenDatabase } from "./database/database.ts";
import { createEgressProxyClient } from "./egress-proxy/egress-proxy-client.ts";
import { createEgressProxyLink } from "./egress-proxy/egress-proxy-link.ts";
import { createProxyHandOver } from "./egress-proxy/proxy-hand-over.ts";
import { createFormerSecretRepository } from "./former-secrets/former-secret-repository.ts";
import { createIsApiName } from "./http/api-names.ts";
import { createAuthentication } from "./http/authentication.ts";
import { createApiServer } from "./http/create-api-server.ts";
import { createHostPolicy } from "./http/host-policy.ts";
import { createOpenRequests } from "./http/open-requests.ts";
import { createRequestRate } from "./http/request-rate.ts";
import { createOpenConnection } from "./http/routed-connection.ts";
import { createBeginOperation } from "./http/routed-operation.ts";
import { createSettleAfterFailure } from "./http/settle-after-failure.ts";
import { createSignedUrlAuthentication } from "./http/signed-url-authentication.ts";
import type { BuildSources } from "./images/build-sources.ts";
import { createBuilders } from "./images/builders.ts";
import { createImageBuilds } from "./images/image-builds.ts";
import { createImageRepository, createImageUpkeepRepository } from "./images/image-repository.ts";
import { createImageUpkeep } from "./images/image-upkeep.ts";
import { createOpenImage } from "./images/open-image.ts";
import { planBuilder } from "./images/plan-builder.ts";
import { createSnapshotRepository } from "./images/snapshot-repository.ts";
import { createSnapshots } from "./images/snapshots.ts";
import { openInstallation } from "./installation.ts";
import { rotateEncryptionKey } from "./key-rotation/rotate-encryption-key.ts";
import { createApiKeyRepository } from "./orgs/api-key-repository.ts";
import { defaultOrgName, ensureOrg } from "./orgs/org-repository.ts";
import { prepareFirstKey } from "./orgs/prepare-first-key.ts";
import { createPreviewGateway } from "./preview-gateway/preview-gateway.ts";
import { createPreviewRepository } from "./previews/preview-repository.ts";
import { createPreviewService } from "./previews/preview-service.ts";
import { createPreviewSessions } from "./previews/preview-sessions.ts";
import { createProjectRepository } from "./projects/project-repository.ts";
import { type RepeatingTask, startRepeatingTask } from "./repeating-task.ts";
import { createCreateSandbox } from "./sandboxes/create-sandbox.ts";
import { createIdleSweep } from "./sandboxes/idle-sweep.ts";
import { createKeyedLock } from "./sandboxes/keyed-lock.ts";
import { createMachineTransitions } from "./sandboxes/machine-transitions.ts";
import { createPlanCreate } from "./sandboxes/plan-create.ts";
import { createReadAllowedHosts } from "./sandboxes/read-allowed-hosts.ts";
import { createReconcileWithWorker } from "./sandboxes/reconcile-with-worker.ts";
import { createSandboxActivity } from "./sandboxes/sandbox-activity.ts";
import { createSandboxAnswers } from "./sandboxes/sandbox-answers.ts";
import { createSandboxTokens } from "./sandboxes/sandbox-identity.ts";
import { createSandboxLifecycle } from "./sandboxes/sandbox-lifecycle.ts";
import { createSandboxRemoval } from "./sandboxes/sandbox-removal.ts";
import {
  createSandboxRepository,
  createSandboxUpkeepRepository,
} from "./sandboxes/sandbox-repository.ts";
import { createSettleSandbox } from "./sandboxes/settle-sandbox.ts";
import { createTagRepository } from "./sandboxes/tag-repository.ts";
import { createWakeSandbox } from "./sandboxes/wake-sandbox.ts";
import { deleteUnusedStore } from "./secret-stores/delete-unused-store.ts";
import { createSecretRepository } from "./secret-stores/secret-repository.ts";
import { createSecretStoreRepository } from "./secret-stores/secret-store-repository.ts";
import { createSecretStoreService } from "./secret-stores/secret-store-service.ts";
import { createUrlSignatures } from "./signed-urls/url-signatures.ts";
import { loadKeyRing } from "./vault/load-key-ring.ts";
import { createVault } from "./vault/vault.ts";
import { openTunnel } from "./worker/open-tunnel.ts";
import { createWorkerClient } from "./worker/worker-client.ts";
import { createWorkerLink } from "./worker/worker-link.ts";

const pollMilliseconds = 1_000;
/** With the time that a poll takes, what a revoked key has opened ends within a second. */
const revokedKeysPollMilliseconds = 500;
/** How long a machine that ended by itself may go unnoticed when nobody uses it. */
const reconcileMilliseconds = 3_000;
const upkeepMilliseconds = 15_000;
/** How long requests under way may go on when the control plane ends. */
const drainMilliseconds = 5_000;

export interface ControlPlaneOptions {
  dataDirectory: string;
  host: string;
  /** 0 for any free port. */
  port: number;
  presetApiKey: string | undefined;
  encryptionKey: string | undefined;
  /** Keys that `encryptionKey`, or the one of the data directory, replaces; the oldest first. */
  previousEncryptionKeys: readonly string[];
  sandboxDomain: string;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
  /** How many sandboxes an org may have at once. */
  sandboxesPerOrgMax: number;
  /** How many sandboxes of one API key there may be at once; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  diskMBPerOrgMax: number;
  /** API requests of one key in a second; undefined for no such bound. */
  requestsPerSecondMax: number | undefined;
  apiBodyBytesMax: number;
  apiHeaderBytesMax: number;
  /** Where clients reach the API; undefined when that is where they say they reach it. */
  publicUrl: string | undefined;
  /** Hosts that the API answers for, besides addresses, localhost and that of the public URL. */
  allowedHosts: readonly string[];
  /** Whether a proxy in front sets X-Forwarded-For, -Host and -Proto. */
  trustsForwarded: boolean;
  /** Where builds of images get their packages. */
  buildSources: BuildSources;
  workerSocket: string;
  egressProxySocket: string;
  /** What the supervisor reported last; empty without one. */
  readProcessStates: () => readonly ProcessState[];
}

export interface ControlPlane {
  /** The base of the API's URL, such as `http://127.0.0.1:8080`. */
  url: string;
  /** Ends what is under way, then everything else. The database stays open. */
  close(): Promise<void>;
}

/** Starts the control plane on an open database; rejects when it cannot run at all. */
export async function startControlPlane(
  { database }: OpenDatabase,
  options: ControlPlaneOptions,
  logger: Logger,
): Promise<ControlPlane> {
  await mkdir(options.dataDirectory, { recursive: true, mode: 0o700 });
  const { keyRing, isRotating, forgetPreviousKeys } = await loadKeyRing({
    configuredKey: options.encryptionKey,
    configuredPreviousKeys: options.previousEncryptionKeys,
    dataDirectory: options.dataDirectory,
    logger,
  });
  const vault = createVault(keyRing);
  const { certificateAuthority, signingKeys } = await openInstallation(database, vault, keyRing);
  const apiKeys = createApiKeyRepository(database);
  await prepareFirstKey({
    apiKeys,
    orgId: await ensureOrg(database, defaultOrgName),
    presetKey: options.presetApiKey,
    dataDirectory: options.dataDirectory,
    logger,
  });

  const worker = createWorkerClient(options.workerSocket);
  const egressProxy = createEgressProxyClient(options.egressProxySocket);
  const projects = createProjectRepository(database);
  const { operatorPlacements } = options;
  const formerSecrets = createFormerSecretRepository(vault);
  const secretDeps = { database, vault, formerSecrets, operatorPlacements };
  const stores = createSecretStoreRepository(secretDeps);
  const secrets = createSecretRepository(secretDeps);
  const sandboxes = createSandboxRepository(database);
  const previews = createPreviewRepository(database);
  const upkeep = createSandboxUpkeepRepository(database);
  const tokens = createSandboxTokens(signingKeys);
  const signatures = createUrlSignatures(signingKeys);
  const activity = createSandboxActivity({
    now: Date.now,
    write: (sandboxId, at) => {
      upkeep.touch(sandboxId, at).catch((error: unknown) => {
        logger.warn({ sandboxId, err: error }, "the idle timer was not written");
      });
    },
  });
  const handOver = createProxyHandOver({
    database,
    sandboxes,
    vault,
    formerSecrets,
    certificateAuthority,
    egressProxy,
  });
  const removal = createSandboxRemoval({
    sandboxes,
    previews,
    upkeep,
    worker,
    handOver,
    activity,
    logger,
  });
  const workerLink = createWorkerLink({
    worker,
    certificatePem: certificateAuthority.certificatePem,
    reconcile,
    logger,
  });
  const egressProxyLink = createEgressProxyLink({ egressProxy, upkeep, handOver, logger });
  const transitions = createMachineTransitions({ sandboxes, worker, handOver });
  const settleSandbox = createSettleSandbox({ sandboxes, worker, transitions, removal, logger });
  const patches = createPatchRepository(database);
  const runPatches = createRunPatches({ patches, sandboxes, worker });
  const lifecycle = createSandboxLifecycle({
    sandboxes,
    activity,
    transitions,
    settleSandbox,
    wakeSandbox: createWakeSandbox({
      runPatches,
      database,
      sandboxes,
      worker,
      workerLink,
      egressProxyLink,
      transitions,
      sandboxesPerOrgMax: options.sandboxesPerOrgMax,
      sandboxesPerKeyMax: options.sandboxesPerKeyMax,
      logger,
    }),
    lock: createKeyedLock(),
    logger,
  });
  const createSandbox = createCreateSandbox({
    database,
    sandboxes,
    vault,
    formerSecrets,
    worker,
    workerLink,
    egressProxyLink,
    handOver,
    removal,
    sandboxesPerOrgMax: options.sandboxesPerOrgMax,
    sandboxesPerKeyMax: options.sandboxesPerKeyMax,
    diskMBPerOrgMax: options.diskMBPerOrgMax,
    logger,
  });
  const builders = createBuilders({
    create: async (orgId, memoryMB, signal) => {
      const drawPlan = async () => planBuilder(memoryMB);
      return (await createSandbox({ orgId, apiKeyId: null }, drawPlan, signal)).id;
    },
    removal,
    upkeep,
  });
  const imageBuilds = createImageBuilds({
    images: createImageRepository(database, options),
    builders,
    worker,
    sources: options.buildSources,
    logger,
  });
  const snapshotRows = createSnapshotRepository(database, options);
  const snapshots = createSnapshots({ snapshots: snapshotRows, imageBuilds, logger });
  const imageUpkeep = createImageUpkeep({
    images: createImageUpkeepRepository(database),
    snapshots: snapshotRows,
    builders,
    worker,
    now: Date.now,
    logger,
  });
  const reconcileWithWorker = createReconcileWithWorker({ upkeep, worker, lifecycle, logger });
  const checkpoints = createCheckpointRepository(database);
  const checkpointUpkeep = createCheckpointUpkeepRepository(database);
  const removeCheckpoint = createRemoveCheckpoint({ worker, logger });
  const checkpointMaker = createCheckpointMaker({
    database,
    checkpoints,
    upkeep: checkpointUpkeep,
    sandboxes,
    activity,
    lifecycle,
    vault,
    formerSecrets,
    worker,
    removeCheckpoint,
    diskMBPerOrgMax: options.diskMBPerOrgMax,
    logger,
  });
  const reconcileCheckpoints = createReconcileCheckpoints({
    upkeep: checkpointUpkeep,
    maker: checkpointMaker,
    worker,
    removeCheckpoint,
    otherOwners: [imageUpkeep.knownCheckpoints],
    now: Date.now,
    logger,
  });
  async function reconcile(): Promise<void> {
    await removal.finishInterrupted();
    await reconcileWithWorker();
    await imageUpkeep.forgetLost();
    await reconcileCheckpoints();
  }
  const machineReplacement = {
    ...{ sandboxes, activity, lifecycle, transitions, settleSandbox },
    ...{ worker, workerLink, egressProxyLink, logger },
  };
  const openRequests = createOpenRequests({ listLive: apiKeys.listLive });
  const authentication = createAuthentication({ apiKeys, tokens });
  const { sandboxDomain, publicUrl, allowedHosts, trustsForwarded } = options;
  const isApiName = createIsApiName({ allowedHosts, publicUrl });
  const previewGateway = createPreviewGateway(
    {
      previews,
      sessions: createPreviewSessions(signingKeys, Date.now),
      activity,
      lifecycle,
      openTunnel: (target) => openTunnel(options, target),
      now: Date.now,
      logger,
    },
    { sandboxDomain, publicUrl, isApiName, trustsForwarded },
  );
  const app = createApiServer({
    logger,
    hostPolicy: createHostPolicy({ allowedHosts, publicUrl, sandboxDomain }),
    previewGateway,
    authenticate: authentication.authenticate,
    openRequests,
    limitRate: createRequestRate({
      requestsPerSecondMax: options.requestsPerSecondMax,
      now: () => performance.now(),
    }),
    settleAfterFailure: createSettleAfterFailure({ sandboxes, lifecycle }),
    bodyBytesMax: options.apiBodyBytesMax,
    headerBytesMax: options.apiHeaderBytesMax,
    readHealth: () => ({
      status: "ok",
      ready: workerLink.ready() && egressProxyLink.ready(),
      limitsEnforced: workerLink.limitsEnforced() ?? null,
      quarantinedCount: workerLink.quarantinedCount() ?? null,
      processes: options.readProcessStates(),
    }),
    routes: {
      sandboxes,
      tags: createTagRepository(database),
      previewService: createPreviewService({
        previews,
        reserved: {
          sandboxDomain,
          isApiName,
          hasPublicUrl: publicUrl !== undefined,
          isLocalOnly: isLoopback(options.host),
        },
        publicUrl,
        endAuthorized: previewGateway.endAuthorized,
        now: Date.now,
      }),
      snapshots,
      snapshotRows,
      openImage: createOpenImage({ imageBuilds, snapshots }),
      planCreate: createPlanCreate({ database, projects, vault, operatorPlacements }),
      createSandbox,
      readAllowedHosts: createReadAllowedHosts({ egressProxy, sandboxes }),
      activity,
      lifecycle,
      checkpoints,
      checkpointMaker,
      scaling: { sandboxes, activity, lifecycle, worker, workerLink },
      restore: machineReplacement,
      reboot: machineReplacement,
      removeCheckpoint,
      forkCheckpoint: createForkCheckpoint({
        checkpoints,
        createSandbox,
        runPatches,
        vault,
        formerSecrets,
        operatorPlacements,
      }),
      patches,
      removal,
      answers: createSandboxAnswers({ activity, tokens, sandboxDomain: options.sandboxDomain }),
      worker,
      openConnection: createOpenConnection({ sandboxes, activity, lifecycle }),
      beginOperation: createBeginOperation(
        { sandboxes, activity, lifecycle },
        { operationsMax: limits.commandsPerSandboxMax },
      ),
      apiKeys,
      forgetKeys: authentication.forgetKeys,
      openRequests,
      signatures,
      publicUrl: options.publicUrl,
      now: Date.now,
      authenticateSignedUrl: createSignedUrlAuthentication({ signatures, now: Date.now }),
      stores,
      deleteUnusedStore: (sandbox) => deleteUnusedStore(database, sandbox),
      secrets,
      secretStoreService: createSecretStoreService({ stores, secrets, handOver, logger }),
      projects,
    },
  });

  await removal.abandonCreates();
  await imageUpkeep.abandonBuilds();
  const url = await app.listen({ host: options.host, port: options.port });
  const repeat = (name: string, intervalMilliseconds: number, work: () => Promise<void>) =>
    startRepeatingTask({ name, intervalMilliseconds, work, logger });
  const tasks = [
    repeat("worker poll", pollMilliseconds, workerLink.poll),
    repeat("egress proxy poll", pollMilliseconds, egressProxyLink.poll),
    repeat("revoked keys poll", revokedKeysPollMilliseconds, openRequests.endRevoked),
    repeat(
      "idle sweep",
      pollMilliseconds,
      createIdleSweep({ upkeep, worker, activity, lifecycle, removal, now: Date.now, logger }),
    ),
    repeat("reconciling", reconcileMilliseconds, async () => {
      if (workerLink.ready()) await reconcileWithWorker();
    }),
    repeat("upkeep", upkeepMilliseconds, async () => {
      await formerSecrets.deleteExpired(database, new Date());
      if (!workerLink.ready()) return;
      await reconcile();
      await imageUpkeep.sweep();
    }),
  ];
  const ending = new AbortController();
  const rotation = startKeyRotation();
  logger.info({ url, apiKeyFile: join(options.dataDirectory, "api-key") }, "control plane listens");

  /** Tries again until it is done; undefined when there is nothing to do. */
  function startKeyRotation(): RepeatingTask | undefined {
    let isDone = !isRotating;
    if (isDone) return undefined;
    return repeat("rotation of the encryption key", upkeepMilliseconds, async () => {
      if (isDone) return;
      if (!(await rotateEncryptionKey({ database, vault, keyRing, logger }, ending.signal))) return;
      await forgetPreviousKeys();
      isDone = true;
    });
  }

  return {
    url,
    async close() {
      ending.abort();
      await rotation?.stop();
      const drain = setTimeout(() => app.server.closeAllConnections(), drainMilliseconds);
      await Promise.all([app.close(), imageBuilds.close()]);
      clearTimeout(drain);
      await Promise.all(tasks.map((task) => task.stop()));
      await Promise.all([worker.close(), egressProxy.close()]);
      await checkpointMaker.drain();
    },
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
