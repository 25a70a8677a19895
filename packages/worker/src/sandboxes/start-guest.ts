import { setTimeout as delay } from "node:timers/promises";
import { type PrepareSandboxRequest, WireError } from "@opencomputer/protocol";
import type { GoldenSnapshot } from "../golden/golden-snapshot.ts";
import type { AgentClient } from "../guest/agent-client.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import { guestIdentity } from "./guest-identity.ts";
import { shrinkGuestMemory } from "./shrink-guest-memory.ts";

/** A guest has this long to take the CPUs and the memory that were plugged. */
const plugTimeoutSeconds = 20;

/**
 * Lets a paused machine run and makes it the sandbox that was asked for:
 * CPUs, memory, disk, identity and environment. Doing it again is no error.
 *
 * @throws {WireError} `guest_failed` when the guest does not follow.
 */
export async function startGuest(options: {
  vm: VirtualMachine;
  agent: AgentClient;
  spec: PrepareSandboxRequest;
  golden: Pick<GoldenSnapshot, "baseMemoryMB" | "diskMB">;
}): Promise<void> {
  const { vm, agent, spec, golden } = options;
  const deadline = Date.now() + plugTimeoutSeconds * 1000;
  if (spec.cpuCount > 1) await vm.plugCpus(spec.cpuCount);
  if (spec.memoryMB > golden.baseMemoryMB) await vm.plugMemory(spec.memoryMB);
  if (spec.diskMB !== null && spec.diskMB > golden.diskMB) await vm.growDisk(spec.diskMB);
  await vm.resume();
  await configure(agent, spec, deadline);
  if (spec.memoryMB > golden.baseMemoryMB) await awaitMemory(vm, spec.memoryMB, deadline);
  else await shrinkGuestMemory({ agent, ...golden, memoryMB: spec.memoryMB });
  if (spec.diskMB !== null && spec.diskMB > golden.diskMB) await growFileSystem(agent);
}

/** The guest finds plugged CPUs in its own time: it is asked again until it has all of them. */
async function configure(
  agent: AgentClient,
  spec: PrepareSandboxRequest,
  deadline: number,
): Promise<void> {
  const { sandboxId: hostname, cpuCount, envs: environment } = spec;
  const identity = guestIdentity({ hostname, cpuCount, environment });
  for (;;) {
    const timeUnixMilliseconds = Date.now();
    const configured = await agent.configure({ ...identity, timeUnixMilliseconds });
    if (configured.cpuCount === cpuCount) return;
    if (Date.now() > deadline) {
      throw new WireError(
        "guest_failed",
        `The guest has ${configured.cpuCount} CPUs online ${plugTimeoutSeconds} seconds after it was given ${cpuCount}`,
      );
    }
    await delay(20);
  }
}

async function awaitMemory(vm: VirtualMachine, memoryMB: number, deadline: number): Promise<void> {
  for (;;) {
    const currentMB = await vm.currentMemoryMB();
    if (currentMB >= memoryMB) return;
    if (Date.now() > deadline) {
      throw new WireError(
        "guest_failed",
        `The guest took ${currentMB} MB in ${plugTimeoutSeconds} seconds, of ${memoryMB} MB`,
      );
    }
    await delay(20);
  }
}

async function growFileSystem(agent: AgentClient): Promise<void> {
  const result = await agent.run({
    command: ["resize2fs", "/dev/vda"],
    environment: {},
    workingDirectory: "/",
    timeoutMilliseconds: 120_000,
    outputBytesMax: 16 * 1024,
    asRoot: true,
  });
  if (result.exitCode === 0) return;
  throw new WireError(
    "guest_failed",
    `The guest could not grow its file system: ${result.stderr.slice(-500)}`,
  );
}
