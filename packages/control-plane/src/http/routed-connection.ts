import type { FastifyRequest } from "fastify";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository } from "../sandboxes/sandbox-repository.ts";
import { findPresentSandbox } from "./routed-operation.ts";

/**
 * Opens a lasting connection to a sandbox, such as a WebSocket; the sandbox
 * is woken for it when it is hibernated. While it is being opened it is an
 * operation; afterwards it counts as use of the sandbox each time that `use`
 * is called, and not between. It is aborted when the sandbox is hibernated.
 */
export type OpenConnection = <Opened>(
  request: FastifyRequest,
  sandboxId: string,
  connection: AbortController,
  open: () => Promise<Opened>,
) => Promise<{ opened: Opened; use: () => void }>;

/** @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, and what a wake fails with */
export function createOpenConnection({
  sandboxes,
  activity,
  lifecycle,
}: {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
}): OpenConnection {
  return async ({ orgId }, sandboxId, connection, open) => {
    await findPresentSandbox(sandboxes, orgId, sandboxId);
    const end = activity.begin(sandboxId);
    try {
      await lifecycle.ensureRunning(orgId, sandboxId);
      const opened = await open();
      const unwatch = activity.watch(sandboxId, (reason) => connection.abort(reason));
      if (connection.signal.aborted) unwatch();
      else connection.signal.addEventListener("abort", unwatch, { once: true });
      return { opened, use: () => activity.begin(sandboxId)() };
    } finally {
      end();
    }
  };
}
