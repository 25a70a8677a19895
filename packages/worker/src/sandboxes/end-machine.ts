import { setTimeout as delay } from "node:timers/promises";
import type { Machine } from "../machines/create-machines.ts";

/** A guest ends its processes, writes its disk out and turns off within this time. */
const shutDownTimeoutMilliseconds = 20_000;
const orderTimeoutMilliseconds = 5_000;

/**
 * Ends a machine whose disk is kept. Orderly: the guest ends its processes and
 * writes its disk out first; one that does not respond is ended at once, as
 * all are otherwise.
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
    log.warn({}, "A guest did not turn off when it was told to; its machine is ended");
  }
  await vm?.kill();
}

/** Whether the guest may be turning off: its agent can end before it has responded. */
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
    // The time-out bounds what is waited for in vain.
    return true;
  }
}
