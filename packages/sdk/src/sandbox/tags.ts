import {
  type SandboxTags,
  sandboxTagsSchema,
  type TagKey,
  tagKeysSchema,
} from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { requestJson } from "../request/send-request.ts";

/** Tags of a sandbox, under its path, and the keys of those of all. */
export const tagCalls = {
  async listKeys(connection: Connection): Promise<TagKey[]> {
    const request = { method: "GET", path: "/tags" } as const;
    return (await requestJson(connection, request, tagKeysSchema)).keys;
  },

  async get(connection: Connection, sandboxPath: string): Promise<SandboxTags> {
    const request = { method: "GET", path: `${sandboxPath}/tags` } as const;
    return await requestJson(connection, request, sandboxTagsSchema);
  },

  async set(
    connection: Connection,
    sandboxPath: string,
    tags: Readonly<Record<string, string>>,
  ): Promise<SandboxTags> {
    return await requestJson(
      connection,
      { method: "PUT", path: `${sandboxPath}/tags`, body: { kind: "json", value: tags } },
      sandboxTagsSchema,
    );
  },

  async update(
    connection: Connection,
    sandboxPath: string,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<SandboxTags> {
    return await requestJson(
      connection,
      { method: "PATCH", path: `${sandboxPath}/tags`, body: { kind: "json", value: changes } },
      sandboxTagsSchema,
    );
  },
};
