import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import type { WorkerClient } from "../worker/worker-client.ts";

/**
 * Takes the session and the machine of a sandbox away that is marked to go.
 * The session does not wait for the machine: without it nothing substitutes a
 * value. It is taken away again in the end, in case the proxy failed before.
 */
export async function releaseSandbox(
  { worker, handOver }: { worker: WorkerClient; handOver: ProxyHandOver },
  sandboxId: string,
): Promise<void> {
  const [, machine] = await Promise.allSettled([
    handOver.removeSession(sandboxId),
    worker.delete(sandboxId),
  ]);
  await handOver.removeSession(sandboxId);
  if (machine.status === "rejected") throw machine.reason;
}
