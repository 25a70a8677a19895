import { WireError } from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { SandboxLifecycle } from "../../sandboxes/lifecycle/sandbox-lifecycle.ts";
import type { SandboxRepository } from "../../sandboxes/rows/sandbox-repository.ts";

/** The errors of an operation whose machine may have ended by itself. */
const suspicious: readonly string[] = ["sandbox_not_running", "outcome_unknown", "guest_failed"];
const paramsSchema = z.object({ id: z.string() });

/** A hook for requests that have failed. */
export type ReconcileAfterFailure = (
  request: FastifyRequest,
  reply: unknown,
  error: Error,
) => Promise<void>;

/**
 * Reconciles the row of a sandbox with its machine when an operation fails as
 * if the machine had ended, before the response: so the next request finds the
 * sandbox hibernated and wakes it.
 */
export function createReconcileAfterFailure(deps: {
  sandboxes: SandboxRepository;
  lifecycle: SandboxLifecycle;
}): ReconcileAfterFailure {
  const { sandboxes, lifecycle } = deps;
  return async (request, _reply, error) => {
    const params = paramsSchema.safeParse(request.params);
    if (!params.success || !(error instanceof WireError) || !suspicious.includes(error.code)) {
      return;
    }
    const { id } = params.data;
    const row = await sandboxes.find(request.orgId, id);
    if (row?.state !== "running" || lifecycle.isHeld(id)) return;
    try {
      await lifecycle.reconcile(row.orgId, id);
    } catch (cause) {
      request.log.warn({ sandboxId: id, err: cause }, "a sandbox is reconciled later");
    }
  };
}
