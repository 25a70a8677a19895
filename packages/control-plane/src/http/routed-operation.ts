import { WireError } from "@opencomputer/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/sandbox-repository.ts";
import { presentStates } from "../sandboxes/sandbox-states.ts";

/**
 * Begins an operation on a sandbox, which is woken for it when it is
 * hibernated. It counts as use of the sandbox until the answer has gone out.
 */
export type BeginOperation = (
  request: FastifyRequest,
  reply: FastifyReply,
  sandboxId: string,
) => Promise<Operation>;

export interface Operation {
  sandbox: SandboxRow;
  /** Aborts when the client has gone, and when the sandbox is hibernated on request. */
  signal: AbortSignal;
}

/**
 * The operation is counted before the state is read for the last time: an
 * idle sandbox is hibernated only when none is counted after its state is set.
 *
 * @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, `too_many_requests`,
 * and what a wake fails with
 */
export function createBeginOperation(
  deps: { sandboxes: SandboxRepository; activity: SandboxActivity; lifecycle: SandboxLifecycle },
  options: { operationsMax: number },
): BeginOperation {
  return async (request, reply, sandboxId) => {
    const { orgId } = request;
    const found = await findPresentSandbox(deps.sandboxes, orgId, sandboxId);
    if (deps.activity.operations(sandboxId) >= options.operationsMax) {
      throw new WireError(
        "too_many_requests",
        `Sandbox ${sandboxId} has ${options.operationsMax} operations under way, the most for one sandbox: wait for some to end`,
      );
    }
    const controller = new AbortController();
    let hasBegun = false;
    const end = deps.activity.begin(sandboxId, (reason) => {
      if (hasBegun) controller.abort(reason);
    });
    const finish = (): void => {
      end();
      if (!reply.raw.writableFinished) controller.abort();
    };
    if (reply.raw.destroyed) finish();
    else reply.raw.once("close", finish);
    const isSettled = found.state === "running" && !deps.lifecycle.isHeld(sandboxId);
    const sandbox = isSettled ? found : await deps.lifecycle.ensureRunning(orgId, sandboxId);
    hasBegun = true;
    return { sandbox, signal: controller.signal };
  };
}

/** @throws {WireError} `sandbox_not_found`, `sandbox_not_running` */
export async function findPresentSandbox(
  sandboxes: SandboxRepository,
  orgId: string,
  sandboxId: string,
) {
  const sandbox = await findSandbox(sandboxes, orgId, sandboxId);
  if (presentStates.includes(sandbox.state)) return sandbox;
  throw new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`);
}

/** @throws {WireError} `sandbox_not_found` */
export async function findSandbox(sandboxes: SandboxRepository, orgId: string, sandboxId: string) {
  const sandbox = await sandboxes.find(orgId, sandboxId);
  const isShown = sandbox?.state !== "creating" && sandbox?.purpose === "user";
  if (sandbox !== undefined && isShown) return sandbox;
  throw sandboxNotFound(sandboxId);
}

export function sandboxNotFound(sandboxId: string): WireError {
  return new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`);
}
