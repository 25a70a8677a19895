import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { AgentClient } from "../../guest/agent-client.ts";
import { guestIdentity, newGeneration } from "../../guest/guest-identity.ts";
import { fitGuestMemory } from "../../scaling/fit-guest-memory.ts";
import { assertApplied } from "../../scaling/resize-machine.ts";
import { guestLimitsOf } from "../../scaling/sandbox-size.ts";
import type { VirtualMachine } from "../../vm/virtual-machine.ts";

/** Time that a guest has to take the CPUs and the memory that were plugged. */
const plugTimeoutSeconds = 20;
const bootTimeoutSeconds = 180;

/** What a machine has before it gets what its sandbox is to have. */
export interface MachineAtHand {
  readonly baseMemoryMB: number;
  readonly cpuCount: number;
  readonly memoryMB: number;
  readonly diskMB: number;
  /** False for one that boots. */
  readonly hasMemory: boolean;
  /** No sandbox has used it before, so that it has no connections that are lost now. */
  readonly isFresh: boolean;
  /** It continues a hibernated machine, which no other does. */
  readonly isContinuation: boolean;
}

/**
 * Lets a paused machine run and makes it the requested sandbox: CPUs, memory,
 * disk, identity and environment. Doing it again is no error. The hooks of its user
 * run last; the failure of one is returned, and does not keep the sandbox from starting.
 *
 * @throws {WireError} `guest_failed` when the guest does not comply, `oom_floor`
 * when the memory that it was saved with has more in use than the sandbox is to have.
 */
export async function startGuest(options: {
  vm: VirtualMachine;
  agent: AgentClient;
  spec: PrepareSandboxRequest;
  atHand: MachineAtHand;
  /** Command sessions to be started again. */
  restartSessions: readonly string[];
}): Promise<{ hookError: string | null }> {
  const { vm, agent, spec, atHand, restartSessions } = options;
  const grows = spec.diskMB !== null && spec.diskMB > atHand.diskMB;
  const pluggedMB = Math.max(spec.memoryMB, atHand.baseMemoryMB);
  const hadPluggedMB = Math.max(atHand.memoryMB, atHand.baseMemoryMB);
  if (spec.cpuCount > atHand.cpuCount) await vm.plugCpus(spec.cpuCount);
  if (pluggedMB !== hadPluggedMB) await vm.plugMemory(pluggedMB);
  if (grows) await vm.growDisk(spec.diskMB ?? 0);
  await vm.resume();
  if (!atHand.hasMemory) await agent.waitUntilHealthy(bootTimeoutSeconds);
  const deadline = performance.now() + plugTimeoutSeconds * 1000;
  const generation = atHand.isContinuation ? undefined : newGeneration();
  const hasHooks = await configure(agent, spec, atHand, { generation, restartSessions, deadline });
  if (pluggedMB > hadPluggedMB) await awaitMemory(vm, pluggedMB, deadline);
  const { baseMemoryMB } = atHand;
  const ofBase = (memoryMB: number) => Math.min(memoryMB, baseMemoryMB);
  if (ofBase(spec.memoryMB) !== ofBase(atHand.memoryMB)) {
    await fitGuestMemory({ agent, baseMemoryMB, memoryMB: spec.memoryMB });
  }
  if (grows) await growFileSystem(agent);
  const isToRunHooks = hasHooks && generation !== undefined;
  return { hookError: isToRunHooks ? await runHooks(agent, spec, generation) : null };
}

/**
 * The guest finds plugged CPUs in its own time: it is asked again until it has all of them.
 * Returns whether it has hooks.
 */
async function configure(
  agent: AgentClient,
  spec: PrepareSandboxRequest,
  atHand: MachineAtHand,
  {
    generation,
    restartSessions,
    deadline,
  }: {
    generation: string | undefined;
    restartSessions: readonly string[];
    deadline: number;
  },
): Promise<boolean> {
  const { sandboxId: hostname, cpuCount, envs: environment } = spec;
  const identity = {
    ...guestIdentity({ hostname, cpuCount, environment }),
    ...(generation === undefined ? {} : { generation }),
  };
  for (let attempt = 0; ; attempt += 1) {
    const configured = await agent.configure({
      ...identity,
      limits: guestLimitsOf(spec),
      timeUnixMilliseconds: Date.now(),
      ...(attempt === 0 && restartSessions.length > 0
        ? { restartSessions: [...restartSessions] }
        : {}),
      closeConnections: atHand.hasMemory && !atHand.isFresh && attempt === 0,
    });
    assertApplied(configured.limits, spec);
    if (restartSessions.length > 0 && configured.hasHooks === undefined) {
      throw new WireError(
        "guest_failed",
        "The saved memory has an agent of an earlier version, which restarts no sessions: fork without restartSessions, or make a new checkpoint",
      );
    }
    if (configured.cpuCount === cpuCount) return configured.hasHooks ?? false;
    if (performance.now() > deadline) {
      throw new WireError(
        "guest_failed",
        `The guest has ${configured.cpuCount} CPUs online ${plugTimeoutSeconds} seconds after it was given ${cpuCount}`,
      );
    }
    await delay(20);
  }
}

async function runHooks(
  agent: AgentClient,
  { sandboxId }: PrepareSandboxRequest,
  generation: string,
): Promise<string | null> {
  try {
    const failure = await agent.runHooks({
      OPENCOMPUTER_GENERATION: generation,
      OPENCOMPUTER_SANDBOX_ID: sandboxId,
    });
    return failure === "" ? null : failure;
  } catch (error) {
    // They are the guest's own, as its agent may be.
    if (error instanceof WireError) return `The hooks could not be run: ${error.message}`;
    throw error;
  }
}

async function awaitMemory(vm: VirtualMachine, memoryMB: number, deadline: number): Promise<void> {
  for (;;) {
    const currentMB = await vm.currentMemoryMB();
    if (currentMB >= memoryMB) return;
    if (performance.now() > deadline) {
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
