import type { CheckpointRecord } from "@opencomputer/protocol/api";
import type { ListedCheckpointRow } from "./checkpoint-repository.ts";

/** Turns a row into the response of the API. */
export function toCheckpointRecord(row: ListedCheckpointRow): CheckpointRecord {
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
