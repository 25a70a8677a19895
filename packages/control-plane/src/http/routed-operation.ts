import { WireError } from "@opencomputer/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import type { SandboxRepository } from "../sandboxes/sandbox-repository.ts";
import { clientGone } from "./client-gone.ts";

/**
 * Begins an operation on a running sandbox. It counts as use of the sandbox
 * until the answer has gone out.
 */
export type BeginOperation = (
  request: FastifyRequest,
  reply: FastifyReply,
  sandboxId: string,
) => Promise<AbortSignal>;

/** @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, `too_many_requests` */
export function createBeginOperation(
  deps: { sandboxes: SandboxRepository; activity: SandboxActivity },
  options: { operationsMax: number },
): BeginOperation {
  return async (request, reply, sandboxId) => {
    await findRunningSandbox(deps.sandboxes, request.orgId, sandboxId);
    if (deps.activity.operations(sandboxId) >= options.operationsMax) {
      throw new WireError(
        "too_many_requests",
        `Sandbox ${sandboxId} has ${options.operationsMax} operations under way, the most for one sandbox: wait for some to end`,
      );
    }
    const signal = clientGone(reply);
    const end = deps.activity.begin(sandboxId);
    if (reply.raw.destroyed) end();
    else reply.raw.once("close", end);
    return signal;
  };
}

/** @throws {WireError} `sandbox_not_found`, `sandbox_not_running` */
export async function findRunningSandbox(
  sandboxes: SandboxRepository,
  orgId: string,
  sandboxId: string,
) {
  const sandbox = await findSandbox(sandboxes, orgId, sandboxId);
  if (sandbox.state === "running") return sandbox;
  throw new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`);
}

/** @throws {WireError} `sandbox_not_found` */
export async function findSandbox(sandboxes: SandboxRepository, orgId: string, sandboxId: string) {
  const sandbox = await sandboxes.find(orgId, sandboxId);
  if (sandbox !== undefined && sandbox.state !== "creating") return sandbox;
  throw sandboxNotFound(sandboxId);
}

export function sandboxNotFound(sandboxId: string): WireError {
  return new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`);
}
