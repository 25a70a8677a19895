import type {
  CreatedSandbox,
  SandboxDetail,
  SandboxStatus,
  SandboxSummary,
} from "@opencomputer/protocol";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxTokens } from "./sandbox-identity.ts";
import type { SandboxRow } from "./sandbox-repository.ts";

/** Rows as the API shows them. */
export interface SandboxAnswers {
  summary(row: SandboxRow): SandboxSummary;
  detail(row: SandboxRow): SandboxDetail;
  created(row: SandboxRow): CreatedSandbox;
}

export function createSandboxAnswers(deps: {
  activity: SandboxActivity;
  tokens: SandboxTokens;
  sandboxDomain: string;
}): SandboxAnswers {
  const { activity, tokens, sandboxDomain } = deps;

  function summary(row: SandboxRow): SandboxSummary {
    return {
      sandboxID: row.id,
      templateID: row.templateId,
      template: row.templateId,
      status: statusOf(row),
      cpuCount: row.cpuCount,
      memoryMB: row.memoryMB,
      startedAt: row.startedAt.toISOString(),
      endAt: endOf(row)?.toISOString() ?? null,
      metadata: row.metadata,
      tags: row.tags,
    };
  }

  function endOf(row: SandboxRow): Date | null {
    if (row.stoppedAt !== null) return row.stoppedAt;
    if (row.idleTimeoutSeconds === 0) return null;
    const lastActiveAt = activity.lastActiveAt(row.id, row.lastActiveAt);
    return new Date(lastActiveAt.getTime() + row.idleTimeoutSeconds * 1000);
  }

  const access = (row: SandboxRow) => ({
    sandboxDomain,
    token: tokens.tokenFor({ orgId: row.orgId, sandboxId: row.id }),
  });

  return {
    summary,

    detail: (row) => ({
      ...summary(row),
      ...access(row),
      ...(row.secretStoreName === null ? {} : { secretStore: row.secretStoreName }),
      ...(row.baseSecretStoreName === null ? {} : { baseSecretStore: row.baseSecretStoreName }),
      ...(row.projectName === null ? {} : { project: row.projectName }),
    }),

    created(row) {
      const { template: _template, tags: _tags, ...rest } = summary(row);
      return { ...rest, ...access(row) };
    },
  };
}

function statusOf(row: SandboxRow): SandboxStatus {
  return row.state === "running" ? "running" : "stopped";
}
