import { WireError, type WorkerStatus } from "@opencomputer/protocol";
import type { Logger } from "pino";
import { shareRunning } from "../share-running.ts";
import type { WorkerClient } from "./worker-client.ts";

/** What the control plane knows of the worker, and what it does when the worker is new. */
export interface WorkerLink {
  /** Asks the worker. A new instance is given the CA and is reconciled with the rows. Never rejects. */
  poll(): Promise<void>;
  ready(): boolean;
  /** Whether the host bounds what machines take; undefined while the worker is not known. */
  limitsEnforced(): boolean | undefined;
  /** How many machines and saved machines the worker cannot read; undefined while it is away. */
  quarantinedCount(): number | undefined;
  /**
   * The sizes that this host has.
   *
   * @throws {WireError} `worker_unavailable` with what the worker is doing, and
   * with `retryAfterSeconds` when it is starting.
   */
  assertReady(): Promise<Pick<WorkerStatus, "cpuCountMax" | "memoryMBMax">>;
}

export function createWorkerLink(deps: {
  worker: WorkerClient;
  certificatePem: string;
  reconcile: () => Promise<void>;
  logger: Logger;
}): WorkerLink {
  const { worker, certificatePem, reconcile, logger } = deps;
  let status: WorkerStatus | undefined;
  let adopted: string | undefined;

  async function pollOnce(): Promise<void> {
    try {
      const current = await worker.status();
      if (current.instanceId !== adopted) {
        await worker.trust(certificatePem);
        await reconcile();
        adopted = current.instanceId;
        logger.info({ instanceId: current.instanceId }, "worker adopted");
      }
      status = current;
    } catch (error) {
      if (status !== undefined) logger.warn({ err: error }, "worker lost");
      status = undefined;
    }
  }

  const poll = shareRunning(pollOnce);

  return {
    poll,
    ready: () => status?.ready === true,
    limitsEnforced: () => status?.limitsEnforced,
    quarantinedCount: () => status?.quarantined.length,
    async assertReady() {
      if (status?.ready !== true) await poll();
      if (status?.ready === true) return status;
      throw new WireError("worker_unavailable", reasonFor(status), whenToRetry(status));
    },
  };
}

function reasonFor(status: WorkerStatus | undefined): string {
  if (status === undefined) return "The worker is not running; it is started again soon";
  if (status.failure !== null) return `The worker cannot take sandboxes: ${status.failure}`;
  return `The worker is not ready yet: ${status.stage}`;
}

/** A worker that has failed is not waited for: whoever operates it has to act. */
function whenToRetry(status: WorkerStatus | undefined) {
  const isFailed = status !== undefined && status.failure !== null;
  return isFailed ? {} : { details: { retryAfterSeconds: 2 } };
}
