import {
  type OrgUsage,
  orgUsageSchema,
  type SandboxUsage,
  sandboxUsageSchema,
  type TagUsage,
  tagUsageSchema,
  type UsageInterval,
} from "@opencomputer/protocol/api";
import {
  type CallOptions,
  type Connection,
  type ConnectionOptions,
  resolveConnection,
} from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { requestJson } from "./request/send-request.ts";

/** The period of usage. It covers whole hours or days, including those of `since` and `until`. */
export interface UsagePeriodOptions {
  /** The first moment. Default: 24 hours before `until`. */
  since?: Date | undefined;
  /** The first moment after the usage. Default: now. */
  until?: Date | undefined;
  /** Length of the buckets. Default: `hour` as long as hours are kept, 7 days, otherwise `day`. */
  interval?: UsageInterval | undefined;
}

/** Options of {@link Sandbox.usage}. */
export type SandboxUsageOptions = CallOptions & UsagePeriodOptions;

/** Options of {@link Usage.ofOrg} and {@link Usage.byTag}. */
export interface OrgUsageOptions extends ConnectionOptions, UsagePeriodOptions {
  /** Only sandboxes that have all of these tags. */
  tags?: Readonly<Record<string, string>> | undefined;
  /** `cursor` of the previous page. */
  cursor?: string | undefined;
  /** Rows of the page, 1–1000. Default 100. */
  limit?: number | undefined;
}

/**
 * What sandboxes use of their hosts: CPU, memory, disk and network, now and over time. No call
 * wakes a sandbox. Every call throws {@link OpenComputerError}, with `invalid_request` for a
 * time that it cannot have.
 */
export const Usage = {
  /** Returns the usage of all sandboxes together, and a page of that of each, by descending CPU time. */
  async ofOrg(options: OrgUsageOptions = {}): Promise<OrgUsage> {
    const request = { method: "GET", path: "/usage", query: orgQuery(options) } as const;
    return await requestJson(resolveConnection(options), request, orgUsageSchema);
  },

  /** Returns usage by the values of a tag: sandboxes without the tag have the value null. */
  async byTag(key: string, options: OrgUsageOptions = {}): Promise<TagUsage> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: apiPath`/usage/tags/${key}`, query: orgQuery(options) },
      tagUsageSchema,
    );
  },

  /** Returns the usage of one sandbox, even of a killed one. @throws `sandbox_not_found`. */
  async ofSandbox(
    sandboxId: string,
    options: ConnectionOptions & UsagePeriodOptions = {},
  ): Promise<SandboxUsage> {
    return await sandboxUsage(
      resolveConnection(options),
      apiPath`/sandboxes/${sandboxId}`,
      options,
    );
  },
};

/** Returns the usage of the sandbox at a path. */
export async function sandboxUsage(
  connection: Connection,
  sandboxPath: string,
  options: UsagePeriodOptions,
): Promise<SandboxUsage> {
  return await requestJson(
    connection,
    { method: "GET", path: `${sandboxPath}/usage`, query: periodQuery(options) },
    sandboxUsageSchema,
  );
}

function orgQuery(options: OrgUsageOptions) {
  const { tags = {}, cursor, limit } = options;
  return {
    ...periodQuery(options),
    tag: Object.entries(tags).map(([key, value]) => `${key}=${value}`),
    cursor,
    limit: limit?.toString(),
  };
}

function periodQuery({ since, until, interval }: UsagePeriodOptions) {
  return { since: since?.toISOString(), until: until?.toISOString(), interval };
}
