import { type CheckpointRecord, WireError } from "@opencomputer/protocol/api";
import type { CheckpointRow } from "./checkpoint-repository.ts";

/** Turns a row into the response of the API. */
export function toCheckpointRecord(row: CheckpointRow): CheckpointRecord {
  return {
    id: row.id,
    sandboxId: row.sandboxId,
    orgId: row.orgId,
    name: row.name,
    kind: row.kind,
    sandboxConfig: {
      templateID: row.templateId,
      cpuCount: row.cpuCount,
      memoryMB: row.memoryMB,
      timeout: row.idleTimeoutSeconds,
      idle: row.idle,
      ...(row.secretStoreName === null ? {} : { secretStore: row.secretStoreName }),
      ...(row.baseSecretStoreName === null ? {} : { baseSecretStore: row.baseSecretStoreName }),
    },
    status: row.status,
    sizeBytes: row.sizeBytes,
    isPublic: false,
    createdAt: row.createdAt.toISOString(),
    ...(row.failure === null ? {} : { failure: row.failure }),
  };
}

export function checkpointNotFound(checkpointId: string): WireError {
  return new WireError("checkpoint_not_found", `checkpoint not found: ${checkpointId}`, {
    remediation: "oc checkpoint list <sandbox-id>",
  });
}

/** @throws {WireError} `checkpoint_not_ready`, `checkpoint_failed` */
export function assertReady({ id, status, failure }: CheckpointRow): void {
  if (status === "ready") return;
  if (status === "failed") {
    throw new WireError("checkpoint_failed", `Checkpoint ${id} could not be made: ${failure}`);
  }
  throw new WireError("checkpoint_not_ready", `Checkpoint ${id} is still being made; try again`, {
    remediation: "oc checkpoint create --wait",
  });
}
