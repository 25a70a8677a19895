import { WireError } from "@opencomputer/protocol";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository } from "../sandboxes/sandbox-repository.ts";

/** What an operation fails with when the machine under it has ended by itself. */
const suspicious: readonly string[] = ["sandbox_not_running", "outcome_unknown", "guest_failed"];
const paramsSchema = z.object({ id: z.string() });

/** A hook for requests that have failed. */
export type SettleAfterFailure = (
  request: FastifyRequest,
  reply: unknown,
  error: Error,
) => Promise<void>;

/**
 * Has the row of a sandbox held against its machine when an operation fails
 * as if the machine were gone, before the failure is answered: so the next
 * request finds it hibernated and wakes it.
 */
export function createSettleAfterFailure(deps: {
  sandboxes: SandboxRepository;
  lifecycle: SandboxLifecycle;
}): SettleAfterFailure {
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
      await lifecycle.settle(row.orgId, id);
    } catch (cause) {
      request.log.warn({ sandboxId: id, err: cause }, "a sandbox is settled at the next upkeep");
    }
  };
}
