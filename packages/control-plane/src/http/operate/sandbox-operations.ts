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
   * each time that `use` is called, and not between.
   *
   * @param open Gets a signal that is aborted when the client's connection has closed, and
   * when the sandbox is hibernated.
   * @throws {WireError} `sandbox_not_found`, `sandbox_not_running`, `too_many_requests`,
   * and what a wake fails with
   */
  connect<Opened>(
    request: FastifyRequest,
    sandboxId: string,
    open: (worker: Worker, signal: AbortSignal) => Promise<Opened>,
  ): Promise<{ opened: Opened; worker: Worker; use: () => void }>;
}

export function createSandboxOperations(
  deps: {
    sandboxes: SandboxRepository;
    activity: SandboxActivity;
    lifecycle: SandboxLifecycle;
    workers: Pick<Workers, "of">;
  },
  options: { operationsMax: number; connectionsMax: number },
): SandboxOperations {
  const { sandboxes, activity, lifecycle, workers } = deps;
  const connectionCounts = new Map<string, number>();

  /** @throws {WireError} `too_many_requests` */
  function assertRoom(sandboxId: string): void {
    if (activity.operations(sandboxId) < options.operationsMax) return;
    throw new WireError(
      "too_many_requests",
      `Sandbox ${sandboxId} has ${options.operationsMax} operations under way, the limit for one sandbox: wait for some to end`,
    );
  }

  /**
   * Counts a connection; the function that is returned ends the counting, once.
   *
   * @throws {WireError} `too_many_requests`
   */
  function countConnection(sandboxId: string): () => void {
    const count = connectionCounts.get(sandboxId) ?? 0;
    if (count >= options.connectionsMax) {
      throw new WireError(
        "too_many_requests",
        `Sandbox ${sandboxId} has ${options.connectionsMax} WebSockets, the limit for one sandbox: close some first`,
      );
    }
    connectionCounts.set(sandboxId, count + 1);
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      const left = (connectionCounts.get(sandboxId) ?? 1) - 1;
      if (left > 0) connectionCounts.set(sandboxId, left);
      else connectionCounts.delete(sandboxId);
    };
  }

  return {
    async begin({ orgId }, reply, sandboxId) {
      const found = await findPresentSandbox(sandboxes, orgId, sandboxId);
      assertRoom(sandboxId);
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

    async connect({ orgId, raw: { socket } }, sandboxId, open) {
      await findPresentSandbox(sandboxes, orgId, sandboxId);
      assertRoom(sandboxId);
      const uncount = countConnection(sandboxId);
      const connection = new AbortController();
      const { signal } = connection;
      // Nothing is emitted again for a connection that has closed already.
      if (socket.destroyed) connection.abort();
      else socket.once("close", () => connection.abort());
      const end = activity.begin(sandboxId);
      try {
        const sandbox = await lifecycle.ensureRunning(orgId, sandboxId);
        const worker = workers.of(sandbox);
        const opened = await open(worker, signal);
        const unwatch = activity.watch(sandboxId, (reason) => connection.abort(reason));
        const forget = () => {
          unwatch();
          uncount();
        };
        if (signal.aborted) forget();
        else signal.addEventListener("abort", forget, { once: true });
        return { opened, worker, use: () => activity.begin(sandboxId)() };
      } catch (error) {
        uncount();
        throw error;
      } finally {
        end();
      }
    },
  };
}
