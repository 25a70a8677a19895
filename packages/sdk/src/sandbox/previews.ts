import {
  type PreviewLink,
  type PreviewRecord,
  previewLinkSchema,
  previewRecordSchema,
  type RotatedPreviewAuth,
  rotatedPreviewAuthSchema,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection } from "../connection.ts";
import { requestDeletion, requestJson } from "../request/send-request.ts";

/** Options of {@link Sandbox.createPreviewURL}. */
export interface CreatePreviewOptions extends CallOptions {
  /** TCP port that a server in the sandbox listens on, 1–65535 without 7070; the loopback address is enough. */
  port: number;
  /** Another host name for the preview, which has to resolve to the service. */
  domain?: string | undefined;
  /** Stored with the preview and returned unchanged. */
  authConfig?: Readonly<Record<string, unknown>> | undefined;
}

/** Previews of a sandbox, under its path. */
export const previewCalls = {
  async create(
    connection: Connection,
    sandboxPath: string,
    { port, domain, authConfig }: CreatePreviewOptions,
  ): Promise<PreviewRecord> {
    return await requestJson(
      connection,
      {
        method: "POST",
        path: `${sandboxPath}/preview`,
        body: { kind: "json", value: { port, domain, authConfig } },
        idempotent: true,
      },
      previewRecordSchema,
    );
  },

  async list(connection: Connection, sandboxPath: string): Promise<PreviewRecord[]> {
    const request = { method: "GET", path: `${sandboxPath}/preview` } as const;
    return await requestJson(connection, request, previewRecordSchema.array());
  },

  async delete(connection: Connection, sandboxPath: string, port: number): Promise<void> {
    await requestDeletion(connection, { method: "DELETE", path: `${sandboxPath}/preview/${port}` });
  },

  async rotate(connection: Connection, sandboxPath: string): Promise<RotatedPreviewAuth> {
    const request = { method: "POST", path: `${sandboxPath}/preview/rotate` } as const;
    return await requestJson(connection, request, rotatedPreviewAuthSchema);
  },

  async link(connection: Connection, sandboxPath: string, port: number): Promise<PreviewLink> {
    const request = { method: "POST", path: `${sandboxPath}/preview/${port}/link` } as const;
    return await requestJson(connection, request, previewLinkSchema);
  },
};
