import {
  type CheckpointKind,
  type CheckpointRecord,
  type CreatedSandbox,
  checkpointRecordSchema,
  createdSandboxSchema,
  type IdleRule,
  type RestoredCheckpoint,
  type RetentionPolicy,
  restoredCheckpointSchema,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection, ConnectionOptions } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import { apiPath } from "../request/api-request.ts";
import { delay, saveDeadlineSeconds } from "../request/deadline.ts";
import { requestDeletion, requestJson } from "../request/send-request.ts";

export interface CreateCheckpointOptions extends CallOptions {
  /**
   * `full`, the default, includes memory: processes continue in a fork.
   * `disk_only` has the disk alone; a fork boots from it.
   */
  kind?: CheckpointKind | undefined;
  /**
   * What happens at the limit of 10 `full` and 100 `disk_only` checkpoints of one sandbox, or
   * at `maxCount`: `{ mode: "none" }`, the default, is the error `limit_reached`,
   * `{ mode: "delete_oldest" }` makes room.
   */
  retentionPolicy?: RetentionPolicy | undefined;
  /**
   * Waits until the checkpoint is ready, and rejects with `checkpoint_failed`
   * if it fails. Default: `false`.
   */
  wait?: boolean | undefined;
}

/** Options of {@link Sandbox.createFromCheckpoint}. Absent ones have the parent's values. */
export interface ForkOptions extends ConnectionOptions {
  /** Name of a secret store whose secrets are added to those of the checkpoint and override them. */
  secretStore?: string | undefined;
  /** Idle time-out in seconds; 0 is never. */
  timeout?: number | undefined;
  /** What counts as use, as when a sandbox is created. */
  idle?: IdleRule | undefined;
  /** Plain variables, added to the parent's. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Labels for your own use; the sandbox does not see them. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Memory in MB, 256–16384. */
  memoryMB?: number | undefined;
  /**
   * Ids of command sessions, at most 16. Their commands are killed before anything runs in the
   * fork, and started again under the same ids, with the fork's variables.
   */
  restartSessions?: readonly string[] | undefined;
}

/** Checkpoints of a sandbox, under its path. */
export const checkpointCalls = {
  async create(
    connection: Connection,
    sandboxPath: string,
    name: string,
    { kind, retentionPolicy, wait }: CreateCheckpointOptions,
  ): Promise<CheckpointRecord> {
    const created = await requestJson(
      connection,
      {
        method: "POST",
        path: `${sandboxPath}/checkpoints`,
        body: { kind: "json", value: { name, kind, retentionPolicy } },
        deadlineSeconds: saveDeadlineSeconds,
      },
      checkpointRecordSchema,
    );
    if (wait === true) return await awaitReady(connection, sandboxPath, created.id);
    return created;
  },

  async list(connection: Connection, sandboxPath: string): Promise<CheckpointRecord[]> {
    return await requestJson(
      connection,
      { method: "GET", path: `${sandboxPath}/checkpoints` },
      checkpointRecordSchema.array(),
    );
  },

  async restore(
    connection: Connection,
    sandboxPath: string,
    checkpointId: string,
  ): Promise<RestoredCheckpoint> {
    return await requestJson(
      connection,
      { method: "POST", path: sandboxPath + apiPath`/checkpoints/${checkpointId}/restore` },
      restoredCheckpointSchema,
    );
  },

  async delete(connection: Connection, sandboxPath: string, checkpointId: string): Promise<void> {
    const path = sandboxPath + apiPath`/checkpoints/${checkpointId}`;
    await requestDeletion(connection, { method: "DELETE", path });
  },

  async fork(
    connection: Connection,
    checkpointId: string,
    { secretStore, timeout, idle, envs, metadata, memoryMB, restartSessions }: ForkOptions,
  ): Promise<CreatedSandbox> {
    return await requestJson(
      connection,
      {
        method: "POST",
        path: apiPath`/sandboxes/from-checkpoint/${checkpointId}`,
        body: {
          kind: "json",
          value: { secretStore, timeout, idle, envs, metadata, memoryMB, restartSessions },
        },
        // Each of its patches may take five minutes.
        deadlineSeconds: null,
      },
      createdSandboxSchema,
    );
  },
};

const pollMilliseconds = 250;

/** @throws {OpenComputerError} `checkpoint_failed`; `checkpoint_not_found` when it is deleted meanwhile. */
async function awaitReady(
  connection: Connection,
  sandboxPath: string,
  checkpointId: string,
): Promise<CheckpointRecord> {
  for (;;) {
    const listed = await checkpointCalls.list(connection, sandboxPath);
    const checkpoint = listed.find(({ id }) => id === checkpointId);
    if (checkpoint === undefined) {
      const message = `checkpoint not found: ${checkpointId} was deleted before it was ready`;
      throw new OpenComputerError("checkpoint_not_found", message, { status: 404 });
    }
    if (checkpoint.status === "ready") return checkpoint;
    if (checkpoint.status === "failed") {
      const message = `Checkpoint ${checkpointId} failed: ${checkpoint.failure ?? "the service's log states the reason"}`;
      throw new OpenComputerError("checkpoint_failed", message, { status: 409 });
    }
    await delay(pollMilliseconds, connection.signal);
  }
}
