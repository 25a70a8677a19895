import {
  createdPatchSchema,
  type PatchRecord,
  patchRecordSchema,
} from "@opencomputer/protocol/api";
import type { Connection, ConnectionOptions } from "../connection.ts";
import { apiPath } from "../request/api-request.ts";
import { requestDeletion, requestJson } from "../request/send-request.ts";

/** Options of {@link Sandbox.createCheckpointPatch}. */
export interface CreateCheckpointPatchOptions extends ConnectionOptions {
  /** A script for bash, of less than 128 KiB. */
  script: string;
  /** A note for your own use, at most 1024 characters. */
  description?: string | undefined;
}

/** Patches of a checkpoint. */
export const patchCalls = {
  async create(
    connection: Connection,
    checkpointId: string,
    { script, description }: CreateCheckpointPatchOptions,
  ): Promise<PatchRecord> {
    const created = await requestJson(
      connection,
      {
        method: "POST",
        path: patchesPath(checkpointId),
        body: { kind: "json", value: { script, description } },
      },
      createdPatchSchema,
    );
    return created.patch;
  },

  async list(connection: Connection, checkpointId: string): Promise<PatchRecord[]> {
    const request = { method: "GET", path: patchesPath(checkpointId) } as const;
    return await requestJson(connection, request, patchRecordSchema.array());
  },

  async delete(connection: Connection, checkpointId: string, patchId: string): Promise<void> {
    const path = patchesPath(checkpointId) + apiPath`/${patchId}`;
    await requestDeletion(connection, { method: "DELETE", path });
  },
};

function patchesPath(checkpointId: string): string {
  return apiPath`/sandboxes/checkpoints/${checkpointId}/patches`;
}
