import { adoptSandboxes } from "./life/adopt-sandboxes.ts";
import { makeCheckpoint, removeCheckpoint, restoreSandbox } from "./life/checkpoint-sandbox.ts";
import { hibernateSandbox, wakeSandbox } from "./life/hibernate-sandbox.ts";
import { createPreparations } from "./life/prepare-sandboxes.ts";
import { rebootSandbox } from "./life/reboot-sandbox.ts";
import { removeSandbox } from "./life/remove-sandbox.ts";
import type { SandboxParts } from "./life/sandbox-parts.ts";
import { scaleSandbox, setAutoscale, setScalingLock } from "./life/scale-sandboxes.ts";
import { startSandbox } from "./life/start-sandbox.ts";
import { createRunningDisks } from "./machine/running-disks.ts";
import { notRunning, runningMachine } from "./registry/sandbox.ts";
import { createSandboxRegistry } from "./registry/sandbox-registry.ts";
import {
  listRunning,
  presentMachinesOf,
  processesOf,
  runningMachinesOf,
} from "./running-sandboxes.ts";
import type { Sandboxes } from "./sandboxes.ts";

export function createSandboxes(deps: Omit<SandboxParts, "registry" | "runningDisks">): Sandboxes {
  const { machines, hibernated, log } = deps;
  const registry = createSandboxRegistry(deps);
  const { find, list, change, describe } = registry;
  const runningDisks = createRunningDisks({ machines, change, log });
  const parts: SandboxParts = { ...deps, registry, runningDisks };
  const preparations = createPreparations(parts);

  return {
    prepare: (spec) => preparations.prepare(spec),
    start: (sandboxId, restartSessions = []) => startSandbox(parts, sandboxId, restartSessions),
    hibernate: (sandboxId) => hibernateSandbox(parts, sandboxId),
    wake: (sandboxId, request) => wakeSandbox(parts, sandboxId, request),
    makeCheckpoint: (checkpointId, request) => makeCheckpoint(parts, checkpointId, request),
    removeCheckpoint: (checkpointId) => removeCheckpoint(parts, checkpointId),
    restore: (sandboxId, request) => restoreSandbox(parts, sandboxId, request),
    reboot: (sandboxId, request) => rebootSandbox(parts, sandboxId, request),
    scale: (sandboxId, request, requester) => scaleSandbox(parts, sandboxId, request, requester),
    setAutoscale: (sandboxId, request) => setAutoscale(parts, sandboxId, request),
    setScalingLock: (sandboxId, locked) => setScalingLock(parts, sandboxId, locked),
    async remove(sandboxId) {
      if (preparations.has(sandboxId)) await preparations.whenEnded(sandboxId);
      await removeSandbox(parts, sandboxId);
    },

    get: (sandboxId) => describe(find(sandboxId)),
    list: () => list().map((sandbox) => describe(sandbox)),
    agentOf(sandboxId) {
      const sandbox = find(sandboxId);
      if (sandbox.isRemoved) throw notRunning(sandbox);
      return runningMachine(sandbox).agent;
    },
    listRunning: () => listRunning(registry),
    processes: () => processesOf(registry),
    runningMachines: () => runningMachinesOf(registry),
    goldenFingerprints: () =>
      [...list().flatMap(({ machine }) => machine?.record ?? []), ...hibernated.list()].map(
        ({ disk }) => disk.goldenFingerprint,
      ),
    async trimLogs() {
      await Promise.all(presentMachinesOf(registry).map((machine) => machines.trimLog(machine)));
    },

    adopt: (adopted) => adoptSandboxes(parts, adopted),
    async whenIdle() {
      await preparations.whenAllEnded();
      await Promise.all(list().map(({ mutex }) => mutex(() => undefined)));
      return new Set(list().flatMap(({ machine }) => machine?.vm?.process.pid ?? []));
    },
    async release() {
      for (const { machine } of list()) {
        machine?.vm?.release();
        await machine?.agent.close();
      }
    },
  };
}
