import { WireError } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { SandboxActivity } from "../../sandboxes/lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../../sandboxes/lifecycle/sandbox-lifecycle.ts";
import { findPresentSandbox } from "../../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository, SandboxRow } from "../../sandboxes/rows/sandbox-repository.ts";
import type { Worker, Workers } from "../../worker/workers.ts";

/** What a request does in a running sandbox. */
export interface Operation {
  sandbox: SandboxRow;
  worker: Worker;
  /** Aborts when the client closes its connection, and when the sandbox is hibernated on request. */
  signal: AbortSignal;
}

/** Lets requests into sandboxes, waking those that are hibernated. */
export interface SandboxOperations {
  /**
   * Begins an operation. It counts as use of the sandbox until the response
   * has been sent.
   *
   * @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, `too_many_requests`,
   * and what a wake fails with
   */
  begin(request: FastifyRequest, reply: FastifyReply, sandboxId: string): Promise<Operation>;
  /**
   * Opens a lasting connection to a sandbox, such as a WebSocket. While it is
   * being opened it is an operation; afterwards it counts as use of the sandbox
   * each time that `use` is called, and not between. It is aborted when the
   * sandbox is hibernated.
   *
   * @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, and what a wake fails with
   */
  connect<Opened>(
    request: FastifyRequest,
    sandboxId: string,
    connection: AbortController,
    open: (worker: Worker) => Promise<Opened>,
  ): Promise<{ opened: Opened; worker: Worker; use: () => void }>;
}

export function createSandboxOperations(
  deps: {
    sandboxes: SandboxRepository;
    activity: SandboxActivity;
    lifecycle: SandboxLifecycle;
    workers: Pick<Workers, "of">;
  },
  options: { operationsMax: number },
): SandboxOperations {
  const { sandboxes, activity, lifecycle, workers } = deps;

  return {
    async begin({ orgId }, reply, sandboxId) {
      const found = await findPresentSandbox(sandboxes, orgId, sandboxId);
      if (activity.operations(sandboxId) >= options.operationsMax) {
        throw new WireError(
          "too_many_requests",
          `Sandbox ${sandboxId} has ${options.operationsMax} operations under way, the limit for one sandbox: wait for some to end`,
        );
      }
      const controller = new AbortController();
      let hasBegun = false;
      // Counted before the state is read for the last time: an idle sandbox is
      // hibernated only when none is counted after its state is set.
      const end = activity.begin(sandboxId, (reason) => {
        if (hasBegun) controller.abort(reason);
      });
      const finish = (): void => {
        end();
        if (!reply.raw.writableFinished) controller.abort();
      };
      if (reply.raw.destroyed) finish();
      else reply.raw.once("close", finish);
      const isRunning = found.state === "running" && !lifecycle.isHeld(sandboxId);
      const sandbox = isRunning ? found : await lifecycle.ensureRunning(orgId, sandboxId);
      hasBegun = true;
      return { sandbox, worker: workers.of(sandbox), signal: controller.signal };
    },

    async connect({ orgId }, sandboxId, connection, open) {
      await findPresentSandbox(sandboxes, orgId, sandboxId);
      const end = activity.begin(sandboxId);
      try {
        const sandbox = await lifecycle.ensureRunning(orgId, sandboxId);
        const worker = workers.of(sandbox);
        const opened = await open(worker);
        const unwatch = activity.watch(sandboxId, (reason) => connection.abort(reason));
        if (connection.signal.aborted) unwatch();
        else connection.signal.addEventListener("abort", unwatch, { once: true });
        return { opened, worker, use: () => activity.begin(sandboxId)() };
      } finally {
        end();
      }
    },
  };
}
