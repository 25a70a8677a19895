import { type CreateCheckpointRequest, WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { Database } from "../database/database.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/sandbox-repository.ts";
import type { Vault } from "../vault/vault.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import { admitCheckpoint } from "./admit-checkpoint.ts";
import type {
  CheckpointRepository,
  CheckpointRow,
  CheckpointUpkeepRepository,
} from "./checkpoint-repository.ts";
import type { RemoveCheckpoint } from "./remove-checkpoint.ts";

/** Makes checkpoints in the background of the request that asks for them. */
export interface CheckpointMaker {
  /**
   * Begins a checkpoint of a sandbox that runs.
   *
   * @returns its row, in status `processing`.
   * @throws {WireError} `name_in_use`, `limit_reached`
   */
  begin(sandbox: SandboxRow, request: CreateCheckpointRequest): Promise<CheckpointRow>;
  /** Whether this process is making the checkpoint now. */
  isMaking(checkpointId: string): boolean;
  /** Resolves when nothing is being made any more. */
  drain(): Promise<void>;
}

export function createCheckpointMaker(deps: {
  database: Database;
  checkpoints: CheckpointRepository;
  upkeep: CheckpointUpkeepRepository;
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  worker: WorkerClient;
  removeCheckpoint: RemoveCheckpoint;
  logger: Logger;
}): CheckpointMaker {
  const { upkeep, activity, lifecycle, worker, removeCheckpoint, logger } = deps;
  const making = new Map<string, Promise<void>>();

  /** The sandbox is held: it is neither hibernated nor restored under the worker's hands. */
  async function make({ id, orgId, sandboxId, kind }: CheckpointRow): Promise<void> {
    const end = activity.begin(sandboxId);
    try {
      const made = await lifecycle.holdRunning(orgId, sandboxId, () =>
        worker.makeCheckpoint(id, { sandboxId, kind }),
      );
      const { sizeBytes, pauseMilliseconds } = made;
      if (await upkeep.finish(id, { status: "ready", sizeBytes })) {
        logger.info({ checkpointId: id, sandboxId, sizeBytes, pauseMilliseconds }, "checkpoint");
      } else {
        await removeCheckpoint(id);
      }
    } catch (error) {
      logger.warn({ checkpointId: id, sandboxId, err: error }, "a checkpoint failed");
      // What became of it is asked of the worker when it runs again.
      if (isUndecided(error)) return;
      const failure =
        error instanceof WireError ? error.message : "The server failed; its log says how";
      await upkeep.finish(id, { status: "failed", failure });
    } finally {
      end();
    }
  }

  async function run(row: CheckpointRow): Promise<void> {
    try {
      await make(row);
    } catch (error) {
      logger.error({ checkpointId: row.id, err: error }, "a checkpoint is settled later");
    } finally {
      making.delete(row.id);
    }
  }

  return {
    async begin(sandbox, request) {
      const { row, removedIds } = await admitCheckpoint(deps, sandbox, request);
      making.set(row.id, run(row));
      for (const id of removedIds) await removeCheckpoint(id);
      return row;
    },

    isMaking: (checkpointId) => making.has(checkpointId),

    async drain() {
      await Promise.all(making.values());
    },
  };
}

function isUndecided(error: unknown): boolean {
  return error instanceof WireError && error.code === "worker_unavailable";
}
