import { guestIdentity } from "../sandboxes/guest-identity.ts";
import type { Machine } from "./create-machines.ts";

const healthTimeoutSeconds = 30;

/**
 * Has a fresh machine do once what every sandbox does first, so that the
 * emulator has that code translated, and the connection is open; it stands
 * paused before and after. Nothing of any sandbox's is in it: the identity is
 * that of no sandbox and replaced at the start.
 */
export async function warmMachine({ agent, vm }: Machine): Promise<void> {
  await vm?.resume();
  await agent.waitUntilHealthy(healthTimeoutSeconds);
  await agent.configure(guestIdentity({ hostname: "sandbox", cpuCount: 1, environment: {} }));
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
