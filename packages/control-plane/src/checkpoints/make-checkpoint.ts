import type { Tracer } from "@opencomputer/process";
import { type CreateCheckpointRequest, WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import type { SandboxActivity } from "../sandboxes/lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/lifecycle/sandbox-lifecycle.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import type { Vault } from "../vault/vault.ts";
import type { Workers } from "../worker/workers.ts";
import { admitCheckpoint } from "./admit-checkpoint.ts";
import type {
  CheckpointMaintenanceRepository,
  CheckpointRepository,
  CheckpointRow,
} from "./checkpoint-repository.ts";

/** Makes checkpoints. One that has begun is completed even if its caller disconnects. */
export interface CheckpointMaker {
  /**
   * Makes a checkpoint of a sandbox, and resolves once its moment has passed:
   * nothing that the sandbox does afterwards is in it. With memory, the moment
   * is near the end of the save, so this takes about as long as the save.
   *
   * @returns its row as it was admitted, in status `processing`; by now the
   * stored row is `ready` or `failed`.
   * @throws {WireError} `name_in_use`, `limit_reached`, `outcome_unknown` when
   * the worker is lost meanwhile.
   */
  make(sandbox: SandboxRow, request: CreateCheckpointRequest): Promise<CheckpointRow>;
  /**
   * Has the worker delete the files of a checkpoint whose row was deleted. Never
   * rejects: reconciliation finds what the worker cannot delete now.
   */
  deleteFiles(checkpointId: string): Promise<void>;
  /** Whether this process is making the checkpoint now. */
  isMaking(checkpointId: string): boolean;
  /** Resolves when nothing is being made any more. */
  drain(): Promise<void>;
}

export function createCheckpointMaker(deps: {
  orgTransactions: OrgTransactions;
  checkpoints: CheckpointRepository;
  maintenance: CheckpointMaintenanceRepository;
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  workers: Workers;
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  diskMBPerOrgMax: number;
  tracer: Tracer;
  logger: Logger;
}): CheckpointMaker {
  const { maintenance, activity, lifecycle, workers, tracer, logger } = deps;
  const making = new Map<string, Promise<void>>();

  async function deleteFiles(checkpointId: string): Promise<void> {
    try {
      await workers.ofCheckpoint({ id: checkpointId }).deleteCheckpoint(checkpointId);
    } catch (error) {
      logger.warn(
        { checkpointId, err: error },
        "a checkpoint is deleted at the next reconciliation",
      );
    }
  }

  /**
   * Saves a checkpoint. The sandbox is held: it is neither hibernated nor restored meanwhile.
   *
   * @throws {WireError} `worker_unavailable` when the outcome is read from the
   * worker once that runs again.
   */
  async function save({ id, orgId, sandboxId, kind }: CheckpointRow): Promise<void> {
    const end = activity.begin(sandboxId);
    try {
      const made = await lifecycle.holdRunning(orgId, sandboxId, () =>
        workers.of({ id: sandboxId }).makeCheckpoint(id, { sandboxId, kind }),
      );
      // Its size may have changed since the row was read.
      const { sizeBytes, memoryMB, pauseMilliseconds } = made;
      if (await maintenance.finish(id, { status: "ready", sizeBytes, memoryMB })) {
        logger.info(
          { checkpointId: id, sandboxId, sizeBytes, pauseMilliseconds },
          "a checkpoint is complete",
        );
      } else {
        await deleteFiles(id);
      }
    } catch (error) {
      logger.warn({ checkpointId: id, sandboxId, err: error }, "a checkpoint failed");
      if (isUndecided(error)) throw error;
      const failure =
        error instanceof WireError ? error.message : "The server failed unexpectedly: see its log";
      await maintenance.finish(id, { status: "failed", failure });
    } finally {
      end();
      making.delete(id);
    }
  }

  return {
    async make(sandbox, request) {
      const { row, removedIds } = await admitCheckpoint(deps, sandbox, request);
      const saved = tracer.span("make checkpoint", () => save(row), {
        ...{ sandboxId: row.sandboxId, checkpointId: row.id },
      });
      making.set(row.id, saved);
      const removals = removedIds.map((id) => deleteFiles(id));
      try {
        await saved;
      } catch (error) {
        throw unknownMoment(row, error);
      }
      await Promise.all(removals);
      return row;
    },

    deleteFiles,

    isMaking: (checkpointId) => making.has(checkpointId),

    async drain() {
      await Promise.allSettled(making.values());
    },
  };
}

function isUndecided(error: unknown): boolean {
  return error instanceof WireError && error.code === "worker_unavailable";
}

function unknownMoment({ id, name, sandboxId }: CheckpointRow, cause: unknown): WireError {
  return new WireError(
    "outcome_unknown",
    `Checkpoint ${JSON.stringify(name)} (${id}) may or may not be made: its worker was lost. List the checkpoints of sandbox ${sandboxId}: it is ready or failed once the worker runs again`,
    { cause, remediation: `oc checkpoint list ${sandboxId}` },
  );
}
