import type {
  AllowedHosts,
  CreatedSandbox,
  CreateSandboxRequest,
  HibernateResponse,
  SandboxDetail,
  SandboxStatus,
  SandboxSummary,
  WokenSandbox,
} from "@opencomputer/protocol/api";
import type { ImageFollower } from "../../images/image-builds.ts";
import type { Caller } from "../../orgs/api-key-repository.ts";
import type { OrgTransactions } from "../../orgs/org-repository.ts";
import { hashPreviewToken, mintPreviewToken } from "../../previews/preview-token.ts";
import { deleteUnusedStore } from "../../secret-stores/delete-unused-store.ts";
import {
  type NewWebhook,
  planWebhook,
  toCreatedWebhook,
  type WebhookRepository,
  type WebhookRow,
} from "../../webhooks/webhook-repository.ts";
import type { Workers } from "../../worker/workers.ts";
import {
  type CreateRequestedSandboxDeps,
  createRequestedSandbox,
} from "../create/create-requested-sandbox.ts";
import type { SandboxActivity } from "../lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../lifecycle/sandbox-lifecycle.ts";
import type { SandboxRemoval } from "../lifecycle/sandbox-removal.ts";
import { readAllowedHosts } from "../responses/read-allowed-hosts.ts";
import type { SandboxResponses } from "../responses/sandbox-responses.ts";
import { findPresentSandbox, findSandbox } from "../rows/find-sandbox.ts";
import type { SandboxRepository } from "../rows/sandbox-repository.ts";
import { presentStates, statesByStatus } from "../rows/sandbox-states.ts";

/**
 * Sandboxes as the API's callers see them. Every method throws a `WireError`:
 * `sandbox_not_found`; `sandbox_not_running` where the sandbox has to run or to
 * be hibernated.
 */
export interface SandboxService {
  /** @throws {WireError} what the plan, the image and the create throw */
  create(
    caller: Caller,
    request: CreateSandboxRequest,
    follower: ImageFollower,
  ): Promise<CreatedSandbox>;
  /** Lists sandboxes of a status; without one, all that run or are hibernated. */
  list(orgId: string, status: SandboxStatus | undefined): Promise<SandboxSummary[]>;
  get(orgId: string, sandboxId: string): Promise<SandboxDetail>;
  /** @throws {WireError} `secret_store_in_use`; then nothing was killed */
  kill(orgId: string, sandboxId: string, options: { deletesSecretStore: boolean }): Promise<void>;
  setIdleTimeout(orgId: string, sandboxId: string, seconds: number): Promise<void>;
  /** @throws {WireError} `egress_proxy_unavailable` */
  allowedHosts(orgId: string, sandboxId: string): Promise<AllowedHosts>;
  hibernate(orgId: string, sandboxId: string): Promise<HibernateResponse>;
  /** Wakes a sandbox unless it runs; a number of seconds becomes its idle time-out. */
  wake(orgId: string, sandboxId: string, idleTimeout: number | null): Promise<WokenSandbox>;
}

export function createSandboxService(deps: {
  orgTransactions: OrgTransactions;
  sandboxes: SandboxRepository;
  workers: Workers;
  create: CreateRequestedSandboxDeps;
  removal: SandboxRemoval;
  lifecycle: SandboxLifecycle;
  activity: SandboxActivity;
  responses: SandboxResponses;
  webhooks: Pick<WebhookRepository, "list">;
}): SandboxService {
  const { orgTransactions, sandboxes, removal, lifecycle, activity, responses } = deps;

  return {
    async create(caller, request, follower) {
      const previewAuth = openPreviewAuth(request.previewAuth);
      const planned = (request.webhooks ?? []).map(planWebhook);
      const made = { previewTokenHash: previewAuth.tokenHash, webhooks: planned };
      const row = await createRequestedSandbox(deps.create, caller, request, made, follower);
      const created = { ...responses.created(row), ...previewAuth.shown };
      if (planned.length === 0) return created;
      const stored = await deps.webhooks.list(caller.orgId, row.id);
      return { ...created, webhooks: showWebhooks(stored, planned) };
    },

    async list(orgId, status) {
      const states = status === undefined ? presentStates : statesByStatus[status];
      return (await sandboxes.list(orgId, states)).map((row) => responses.summary(row));
    },

    async get(orgId, sandboxId) {
      return responses.detail(await findSandbox(sandboxes, orgId, sandboxId));
    },

    async kill(orgId, sandboxId, { deletesSecretStore }) {
      const sandbox = await findSandbox(sandboxes, orgId, sandboxId);
      // First, because it is refused while something else uses the store.
      if (deletesSecretStore) await deleteUnusedStore(orgTransactions, sandbox);
      await removal.kill(orgId, sandbox.id, "requested");
    },

    async setIdleTimeout(orgId, sandboxId, seconds) {
      const { id } = await findPresentSandbox(sandboxes, orgId, sandboxId);
      await sandboxes.change(orgId, id, presentStates, {
        idleTimeoutSeconds: seconds,
        lastActiveAt: new Date(),
      });
    },

    async allowedHosts(orgId, sandboxId) {
      return readAllowedHosts(deps, await findPresentSandbox(sandboxes, orgId, sandboxId));
    },

    async hibernate(orgId, sandboxId) {
      const { id } = await findPresentSandbox(sandboxes, orgId, sandboxId);
      const { sizeBytes } = await lifecycle.hibernate(orgId, id);
      return { sandboxID: id, status: "hibernated", sizeBytes };
    },

    async wake(orgId, sandboxId, idleTimeout) {
      const { id } = await findPresentSandbox(sandboxes, orgId, sandboxId);
      const end = activity.begin(id);
      try {
        const row = await lifecycle.ensureRunning(orgId, id);
        if (idleTimeout !== null) {
          await sandboxes.change(orgId, id, presentStates, { idleTimeoutSeconds: idleTimeout });
        }
        return responses.woken(row);
      } finally {
        end();
      }
    },
  };
}

/** The token of previews: its hash for the row, and the token for the one response that shows it. */
function openPreviewAuth(previewAuth: CreateSandboxRequest["previewAuth"]) {
  if (!previewAuth) return { tokenHash: null, shown: {} };
  const token = previewAuth.token === "auto" ? mintPreviewToken() : previewAuth.token;
  return {
    tokenHash: hashPreviewToken(token),
    shown: { previewAuthToken: token },
  };
}

/** The webhooks of a new sandbox, in the order of the request, with their secrets. */
function showWebhooks(rows: readonly WebhookRow[], planned: readonly NewWebhook[]) {
  return planned.flatMap(({ id, secret }) => {
    const row = rows.find((stored) => stored.id === id);
    return row === undefined ? [] : [toCreatedWebhook(row, secret)];
  });
}
