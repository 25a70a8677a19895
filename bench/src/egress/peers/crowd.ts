import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { type CrowdSettings, crowdSettingsSchema } from "./message.ts";

/** Below the measured processes: this one's own use of the processor is not what is measured. */
const niceness = 10;
const pauseMilliseconds = 10;

// The connections of a sandbox that has too many. It reports when they are open,
// or that it has begun to open them, and ends with the process that started it.
process.once("disconnect", () => process.exit());
process.once("message", async (message) => {
  setPriority(niceness);
  const settings = crowdSettingsSchema.parse(message);
  if (settings.kind === "idle") await openIdle(settings);
  else void openAgain(settings);
  process.send?.({ isOpen: true });
});

/** Connections that are kept alive after one request each. */
async function openIdle({ count, request, ...target }: CrowdSettings): Promise<void> {
  for (let opened = 0; opened < count; opened += 1) {
    const socket = connectTls(target);
    socket.on("error", () => socket.destroy());
    socket.write(request);
    await once(socket, "data");
  }
}

/** As many connections as the packet filter of a sandbox lets it open, one set after the other. */
async function openAgain({ count, host, port, localAddress }: CrowdSettings): Promise<void> {
  const { egressNewConnectionsPerSecondMax, egressNewConnectionsBurstMax } = serviceLimits;
  const startedAt = performance.now();
  let total = 0;
  for (;;) {
    const held = new Set<Socket>();
    for (let opened = 0; opened < count; opened += 1) {
      const socket = connect({ host, port, localAddress });
      held.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => held.delete(socket));
      total += 1;
      const seconds = (performance.now() - startedAt) / 1000;
      const permitted = egressNewConnectionsBurstMax + seconds * egressNewConnectionsPerSecondMax;
      if (total >= permitted) await sleep(pauseMilliseconds);
    }
    for (const socket of held) socket.destroy();
  }
}
