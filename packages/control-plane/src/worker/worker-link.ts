import { WireError } from "@opencomputer/protocol/api";
import type { WorkerStatus } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { shareRunning } from "../concurrency/repeating-task.ts";
import type { WorkerClient } from "./worker-client.ts";

/** The largest sandbox that a host has room for. */
export type HostSizes = Pick<WorkerStatus, "cpuCountMax" | "memoryMBMax">;

/** The state of a worker, and what a new process of it is given before it counts as ready. */
export interface WorkerLink {
  /** Asks the worker. A new process gets the CA and is reconciled with the rows. Never rejects. */
  poll(): Promise<void>;
  ready(): boolean;
  /** What the worker reported last; undefined while it does not respond. */
  status(): WorkerStatus | undefined;
  /**
   * The sizes that this host has.
   *
   * @throws {WireError} `worker_unavailable` with what the worker is doing, and
   * with `retryAfterSeconds` when it is starting.
   */
  assertReady(): Promise<HostSizes>;
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
    status: () => status,
    async assertReady() {
      if (status?.ready !== true) await poll();
      if (status?.ready === true) return status;
      throw new WireError("worker_unavailable", reasonFor(status), whenToRetry(status));
    },
  };
}

function reasonFor(status: WorkerStatus | undefined): string {
  if (status === undefined)
    return "The worker is not running; it is being restarted: try again soon";
  if (status.failure !== null) return `The worker cannot take sandboxes: ${status.failure}`;
  return `The worker is not ready yet: ${status.stage}`;
}

/** A worker that has failed is not waited for: its operator has to act. */
function whenToRetry(status: WorkerStatus | undefined) {
  const isFailed = status !== undefined && status.failure !== null;
  return isFailed ? {} : { details: { retryAfterSeconds: 2 } };
}
