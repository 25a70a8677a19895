import { guestIdentity } from "../guest/guest-identity.ts";
import type { Machine } from "../machines/machine.ts";

const healthTimeoutSeconds = 30;
const newHostname = "sandbox";

/**
 * Makes a machine do once what every sandbox does first, so that the emulator has
 * translated that code and the connection is open. It is paused before and after.
 * One that boots is left as it is.
 *
 * No user's processes run meanwhile: a fresh machine has none, and those of a
 * saved one are frozen from its first moments until its sandbox starts.
 * `sandboxId` is the sandbox that it continues, whose names stay. Any other
 * machine gets the identity of no sandbox, which is replaced at the start.
 */
export async function warmUpMachine(
  { agent, vm, record }: Machine,
  sandboxId: string | null,
): Promise<void> {
  if (!record.hasMemory) return;
  await vm?.resume();
  if (record.isFresh) await agent.waitUntilHealthy(healthTimeoutSeconds);
  else await agent.freeze();
  const { cpuCount, isFresh } = record;
  const hostname = sandboxId ?? newHostname;
  await agent.configure({
    ...guestIdentity({ hostname, cpuCount, environment: {} }),
    closeConnections: !isFresh,
    thaw: false,
  });
  await agent.run({
    command: ["/bin/bash", "-c", "true"],
    environment: {},
    workingDirectory: null,
    timeoutMilliseconds: healthTimeoutSeconds * 1000,
    outputBytesMax: 1024,
    asRoot: false,
  });
  await vm?.pause();
}
