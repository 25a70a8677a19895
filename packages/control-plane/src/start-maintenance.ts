import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { type RepeatingTask, startRepeatingTask } from "./concurrency/repeating-task.ts";
import type { Services } from "./create-services.ts";
import { startEgressLogReaders } from "./egress-log/egress-log-readers.ts";
import type { OpenRequests } from "./http/admit/open-requests.ts";
import {
  type RotateEncryptionKeyDeps,
  rotateEncryptionKey,
} from "./key-rotation/rotate-encryption-key.ts";
import type { WorkerConnections } from "./worker/workers.ts";

const pollMilliseconds = 1_000;
/** With the time that a poll takes, what a revoked key or an ended session has opened ends within a second. */
const credentialsPollMilliseconds = 500;
/** How long a machine that ended by itself may go unnoticed when nobody uses it. */
const reconcileMilliseconds = 3_000;
const maintenanceMilliseconds = 15_000;
const egressLogMilliseconds = 60_000;
/** It reads as far as the events that an org may have. */
const eventExpiryMilliseconds = 5 * 60_000;
/** It counts the rows that orgs may have. */
const usageMaintenanceMilliseconds = 3600_000;

export interface Maintenance {
  /** Stops the rotation of the encryption key, which may take long otherwise. */
  stopRotation(): Promise<void>;
  /** Stops everything else, each task after the run under way. */
  stop(): Promise<void>;
}

/** Starts the tasks that run repeatedly beside the requests. */
export function startMaintenance(deps: {
  maintenance: Services["maintenance"];
  connections: WorkerConnections;
  openRequests: Pick<OpenRequests, "endUnauthorized">;
  /** The rotation of the encryption key; null when there is nothing to rotate. */
  rotation: { deps: RotateEncryptionKeyDeps; forgetPreviousKeys: () => Promise<void> } | null;
  logger: Logger;
}): Maintenance {
  const { maintenance, connections, openRequests, rotation, logger } = deps;
  const stopping = new AbortController();
  const repeat = (name: string, intervalMilliseconds: number, work: () => Promise<void>) =>
    startRepeatingTask({ name, intervalMilliseconds, work, logger });

  const tasks = [
    repeat("worker poll", pollMilliseconds, connections.pollWorkers),
    ...connections.egressProxyPolls.map((poll) =>
      repeat("egress proxy poll", pollMilliseconds, poll),
    ),
    repeat("credentials poll", credentialsPollMilliseconds, openRequests.endUnauthorized),
    repeat("idle sweep", pollMilliseconds, maintenance.sweepIdle),
    repeat("reconciliation of sandboxes", reconcileMilliseconds, async () => {
      if (connections.workersReady()) await maintenance.reconcileSandboxes();
    }),
    repeat("maintenance", maintenanceMilliseconds, async () => {
      await maintenance.deleteExpiredSecrets();
      if (!connections.workersReady()) return;
      await maintenance.reconcile();
      await maintenance.deleteUnusedImages();
    }),
    repeat("expiry of events", eventExpiryMilliseconds, async () => {
      await maintenance.deleteExpiredEvents();
      await maintenance.deleteExpiredDeliveries();
    }),
    repeat("egress log", egressLogMilliseconds, maintenance.maintainEgressLog),
    repeat("usage", serviceLimits.usageSampleSeconds * 1000, async () => {
      if (connections.workersReady()) await maintenance.sampleUsage();
    }),
    repeat("maintenance of usage", usageMaintenanceMilliseconds, maintenance.maintainUsage),
  ];
  const egressLogReaders = startEgressLogReaders({
    egressProxies: connections.workers.all().flatMap(({ egressProxies }) => egressProxies.all),
    store: maintenance.storeEgressLog,
    onUnstorable: maintenance.countUnstorable,
    logger,
  });
  const rotating = rotation === null ? undefined : rotateUntilDone(rotation);

  /** Tries again until nothing is encrypted with a previous key. */
  function rotateUntilDone({
    deps,
    forgetPreviousKeys,
  }: NonNullable<typeof rotation>): RepeatingTask {
    let isDone = false;
    return repeat("rotation of the encryption key", maintenanceMilliseconds, async () => {
      if (isDone || !(await rotateEncryptionKey(deps, stopping.signal))) return;
      await forgetPreviousKeys();
      isDone = true;
    });
  }

  return {
    async stopRotation() {
      stopping.abort();
      await rotating?.stop();
    },

    async stop() {
      await Promise.all([...tasks.map((task) => task.stop()), egressLogReaders.stop()]);
    },
  };
}
