import {
  type AllowedHosts,
  allowedHostsSchema,
  type SandboxDetail,
  type SandboxStatus,
  type SandboxSummary,
  sandboxDetailSchema,
  sandboxSummarySchema,
} from "@opencomputer/protocol/api";
import type { Connection, ConnectionOptions } from "../connection.ts";
import { requestJson } from "../request/send-request.ts";

export interface ListSandboxesOptions extends ConnectionOptions {
  /** Only sandboxes of this status. Default: running and hibernated ones. */
  status?: SandboxStatus | undefined;
}

/** What the service has recorded of sandboxes. Reading it wakes none. */
export const recordCalls = {
  async get(connection: Connection, sandboxPath: string): Promise<SandboxDetail> {
    const request = { method: "GET", path: sandboxPath } as const;
    return await requestJson(connection, request, sandboxDetailSchema);
  },

  async list(connection: Connection, { status }: ListSandboxesOptions): Promise<SandboxSummary[]> {
    const request = { method: "GET", path: "/sandboxes", query: { status } } as const;
    return await requestJson(connection, request, sandboxSummarySchema.array());
  },

  async allowedHosts(connection: Connection, sandboxPath: string): Promise<AllowedHosts> {
    const request = { method: "GET", path: `${sandboxPath}/allowed-hosts` } as const;
    return await requestJson(connection, request, allowedHostsSchema);
  },
};
