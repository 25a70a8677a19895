import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import { fitGuestMemory } from "./fit-guest-memory.ts";
import { guestLimitsOf, hostSizeOf, smallestMemoryMB } from "./sandbox-size.ts";

const growTimeoutMilliseconds = 20_000;
/** A guest may take longer to give memory back; its commands are limited to the new size meanwhile. */
const shrinkTimeoutMilliseconds = 3_000;
const pollMilliseconds = 10;

interface Resizing {
  machines: Pick<Machines, "limit">;
  machine: Machine;
  vm: VirtualMachine;
  from: PrepareSandboxRequest;
  to: PrepareSandboxRequest;
  log: { warn(details: object, message: string): void };
}

/**
 * Changes the memory and the CPU time of a running machine: what is above its
 * base memory is plugged and unplugged by virtio-mem, below it the guest takes
 * blocks offline, and its commands' cgroup follows. When it fails, the machine
 * has the size that it had.
 *
 * @throws {WireError} `oom_floor` when the commands use more than the new size
 * leaves them, `guest_failed`.
 */
export async function resizeMachine(resizing: Resizing): Promise<void> {
  const { from, to } = resizing;
  if (to.memoryMB < from.memoryMB) await shrink(resizing);
  else await grow(resizing);
}

async function grow({ machines, machine, vm, from, to, log }: Resizing): Promise<void> {
  const { baseMemoryMB } = machine.record;
  const pluggedMB = Math.max(baseMemoryMB, to.memoryMB);
  await machines.limit(machine, hostSizeOf(to), false);
  try {
    if (to.memoryMB > from.memoryMB) await vm.plugMemory(pluggedMB);
    await fitBase(machine, from, to);
    assertApplied(await machine.agent.limit(guestLimitsOf(to)), to);
    if (to.memoryMB === from.memoryMB) return;
    if (await reaches(vm, (currentMB) => currentMB >= pluggedMB, growTimeoutMilliseconds)) return;
    throw new WireError(
      "guest_failed",
      `The guest did not accept the memory up to ${to.memoryMB} MB in ${growTimeoutMilliseconds / 1000} seconds; it keeps ${from.memoryMB} MB`,
    );
  } catch (error) {
    await shrink({ machines, machine, vm, from: to, to: from, log }).catch((cause: unknown) =>
      log.warn(
        { machineId: machine.id, err: cause },
        "A machine could not be resized back to its former size",
      ),
    );
    throw error;
  }
}

async function shrink({ machines, machine, vm, from, to, log }: Resizing): Promise<void> {
  const { baseMemoryMB } = machine.record;
  assertApplied(await machine.agent.limit(guestLimitsOf(to)), to);
  const pluggedMB = Math.max(baseMemoryMB, to.memoryMB);
  await vm.plugMemory(pluggedMB);
  await fitBase(machine, from, to).catch((error: unknown) =>
    log.warn({ machineId: machine.id, err: error }, "A guest did not return all memory"),
  );
  await reaches(vm, (currentMB) => currentMB <= pluggedMB, shrinkTimeoutMilliseconds);
  // Below what QEMU holds, the host would end it.
  const heldMB = Math.max(baseMemoryMB, await vm.currentMemoryMB());
  const size = hostSizeOf(to);
  await machines.limit(machine, { ...size, memoryMB: Math.max(size.memoryMB, heldMB) }, false);
}

async function fitBase(
  { agent, record: { baseMemoryMB } }: Machine,
  from: PrepareSandboxRequest,
  to: PrepareSandboxRequest,
): Promise<void> {
  const ofBase = (memoryMB: number) => Math.min(memoryMB, baseMemoryMB);
  if (ofBase(from.memoryMB) === ofBase(to.memoryMB)) return;
  await fitGuestMemory({ agent, baseMemoryMB, memoryMB: to.memoryMB });
}

async function reaches(
  vm: VirtualMachine,
  isReached: (currentMB: number) => boolean,
  timeoutMilliseconds: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMilliseconds;
  for (;;) {
    if (isReached(await vm.currentMemoryMB())) return true;
    if (performance.now() > deadline) return false;
    await delay(pollMilliseconds);
  }
}

/** @throws {WireError} `oom_floor`. `details` are bytes used, and sizes in MB. */
export function assertApplied(
  outcome: { applied: boolean; memoryUsedBytes: number } | undefined,
  { sandboxId, memoryMB }: Pick<PrepareSandboxRequest, "sandboxId" | "memoryMB">,
): void {
  if (outcome === undefined || outcome.applied) return;
  const { memoryUsedBytes } = outcome;
  const smallest = smallestMemoryMB(memoryUsedBytes);
  throw new WireError(
    "oom_floor",
    `Sandbox ${sandboxId} cannot have ${memoryMB} MB: its commands use ${Math.ceil(memoryUsedBytes / 1024 / 1024)} MB, which takes a sandbox of at least ${smallest} MB. Free memory in it, or choose a larger size`,
    {
      remediation: `oc sandbox scale ${sandboxId} ${smallest}`,
      details: {
        memoryUsedBytes,
        requestedMemoryMB: memoryMB,
        smallestMemoryMB: smallest,
      },
    },
  );
}
