import type {
  CreatedSandbox,
  SandboxDetail,
  SandboxSummary,
  WokenSandbox,
} from "@opencomputer/protocol/api";
import type { SandboxTokens } from "../identity/sandbox-identity.ts";
import type { SandboxActivity } from "../lifecycle/sandbox-activity.ts";
import type { ListedSandboxRow, SandboxRow } from "../rows/sandbox-repository.ts";
import { statusOf } from "../rows/sandbox-states.ts";

/** Turns rows into the responses of the API. */
export interface SandboxResponses {
  summary(row: ListedSandboxRow): SandboxSummary;
  detail(row: SandboxRow): SandboxDetail;
  created(row: SandboxRow): CreatedSandbox;
  woken(row: SandboxRow): WokenSandbox;
}

export function createSandboxResponses(deps: {
  activity: SandboxActivity;
  tokens: SandboxTokens;
  sandboxDomain: string;
}): SandboxResponses {
  const { activity, tokens, sandboxDomain } = deps;

  function summary(row: ListedSandboxRow): SandboxSummary {
    return {
      sandboxID: row.id,
      templateID: row.templateId,
      template: row.templateId,
      status: statusOf(row.state),
      cpuCount: row.cpuCount,
      memoryMB: row.memoryMB,
      startedAt: row.startedAt.toISOString(),
      endAt: endOf(row)?.toISOString() ?? null,
      metadata: row.metadata,
      tags: row.tags,
      ...(row.fromCheckpointId === null ? {} : { fromCheckpointId: row.fromCheckpointId }),
    };
  }

  function endOf(row: ListedSandboxRow): Date | null {
    if (row.stoppedAt !== null) return row.stoppedAt;
    if (row.idleTimeoutSeconds === 0 || statusOf(row.state) === "hibernated") return null;
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
      idle: row.idle,
      ...(row.secretStoreName === null ? {} : { secretStore: row.secretStoreName }),
      ...(row.baseSecretStoreName === null ? {} : { baseSecretStore: row.baseSecretStoreName }),
      ...(row.projectName === null ? {} : { project: row.projectName }),
      ...patchErrorOf(row),
      ...hookErrorOf(row),
      ...memoryLostOf(row),
    }),

    created(row) {
      const { template: _template, tags: _tags, ...rest } = summary(row);
      return {
        ...rest,
        ...access(row),
        idle: row.idle,
        ...patchErrorOf(row),
        ...hookErrorOf(row),
      };
    },

    woken: (row) => ({
      sandboxID: row.id,
      status: "running",
      ...access(row),
      ...memoryLostOf(row),
    }),
  };
}

function patchErrorOf({ patchError }: SandboxRow): { patchError?: string } {
  return patchError === null ? {} : { patchError };
}

function hookErrorOf({ hookError }: SandboxRow): { hookError?: string } {
  return hookError === null ? {} : { hookError };
}

function memoryLostOf({ memoryLost }: SandboxRow): { memoryLost?: string } {
  return memoryLost === null ? {} : { memoryLost };
}
