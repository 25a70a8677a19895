import { setTimeout as delay } from "node:timers/promises";
import type { Machine } from "../../machines/machine.ts";

/** Time in which a guest ends its processes, writes its disk and turns off. */
const shutDownTimeoutMilliseconds = 20_000;
const orderTimeoutMilliseconds = 5_000;

/**
 * Ends a machine whose disk is kept. With `orderly` the guest first ends its
 * processes and writes its disk; otherwise, and when it does not respond, the
 * machine is killed at once.
 */
export async function endMachine(
  { agent, vm }: Pick<Machine, "agent" | "vm">,
  { orderly }: { orderly: boolean },
  log: { warn(details: object, message: string): void },
): Promise<void> {
  if (vm !== undefined && orderly) {
    const ended = new Promise<boolean>((resolve) => vm.onEnd(() => resolve(true)));
    const isOrdered = await orderShutDown(agent);
    const timeOut = delay(shutDownTimeoutMilliseconds, false);
    if (isOrdered && (await Promise.race([ended, timeOut]))) return vm.kill();
    log.warn({}, "A guest did not shut down in time; its machine is killed");
  }
  await vm?.kill();
}

/** Returns whether the guest may be shutting down: its agent can end before it has responded. */
async function orderShutDown(agent: Machine["agent"]): Promise<boolean> {
  // What was written is on the disk, even when the rest fails.
  await agent.sync().catch(() => undefined);
  const ordering = agent.run({
    command: ["/bin/bash", "-c", "kill -TERM 1"],
    environment: {},
    workingDirectory: "/",
    timeoutMilliseconds: orderTimeoutMilliseconds,
    outputBytesMax: 1024,
    asRoot: true,
  });
  try {
    return (await ordering).exitCode === 0;
  } catch {
    // The agent may have ended before it responded; the time-out bounds the wait.
    return true;
  }
}
