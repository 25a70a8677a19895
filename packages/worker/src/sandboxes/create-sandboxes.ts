import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Tracer } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import { asStorageError } from "../files/durable-files.ts";
import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import type { Slots } from "../network/create-slots.ts";
import type { SavedMachines } from "../saved-machines/create-saved-machines.ts";
import type { SaveOptions } from "../saved-machines/save-machine.ts";
import type { SavedMachine } from "../saved-machines/saved-manifest.ts";
import { describeCheckpoint } from "../saved-machines/saved-manifest.ts";
import { enlarged, hostSizeOf } from "../scaling/sandbox-size.ts";
import type { UsageMeter } from "../usage/create-usage-meter.ts";
import type { WarmMachines } from "../warm-pool/create-warm-machines.ts";
import { adoptSandboxes } from "./adopt-sandboxes.ts";
import { endMachine } from "./end-machine.ts";
import {
  countFailedLoad,
  countFailedStart,
  failedMemoryReason,
  givenUp,
  hasFailedForGood,
} from "./failed-starts.ts";
import {
  findCheckpoint,
  machineOfCheckpoint,
  machineOfHibernated,
  warmUpForFork,
  warmUpForWake,
} from "./restore-machines.ts";
import { createRunningDisks } from "./running-disks.ts";
import { notRunning, runningMachine, type Sandbox, stateOf } from "./sandbox.ts";
import { createSandboxRegistry, type SaveMachine } from "./sandbox-registry.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { scaleSandbox, setAutoscale, setScalingLock } from "./scale-sandboxes.ts";
import { startGuest } from "./start-guest.ts";

export function createSandboxes(deps: {
  machines: Machines;
  slots: Slots;
  hibernated: SavedMachines;
  checkpoints: SavedMachines;
  saveMachine: SaveMachine;
  warmMachines: WarmMachines;
  /** A paused machine of the current golden snapshot, from the pool or a new one. */
  takeMachine: () => Promise<Machine>;
  checkSize: (spec: PrepareSandboxRequest) => void;
  /** In milliseconds, from any point on. */
  now: () => number;
  tracer: Tracer;
  usageMeter: Pick<UsageMeter, "readLast">;
  log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Sandboxes {
  const { machines, slots, hibernated, checkpoints, warmMachines, usageMeter, tracer, log } = deps;
  const registry = createSandboxRegistry(deps);
  const { find, change, describe } = registry;
  const runningDisks = createRunningDisks({ machines, change, log });
  const parts = { ...deps, registry };
  const preparing = new Map<string, { spec: PrepareSandboxRequest; done: Promise<Sandbox> }>();

  /** Puts record, rules and limits in place before anything of the machine runs. */
  async function assign(machine: Machine, spec: PrepareSandboxRequest): Promise<void> {
    await Promise.all([
      machines.save(machine, { ...machine.record, sandbox: spec, machineId: randomUUID() }),
      slots.setMode(machine.slot, spec.egressMode, spec.egressPorts),
      machines.limit(machine, hostSizeOf(spec), false),
    ]);
  }

  async function makeFor(spec: PrepareSandboxRequest, make: () => Promise<Machine>) {
    const machine = await tracer.span("take machine", make).catch((error: unknown) => {
      throw asStorageError(error);
    });
    try {
      await tracer.span("assign machine", () => assign(machine, spec));
      return machine;
    } catch (error) {
      await machines.discard(machine);
      throw asStorageError(error);
    }
  }

  async function makeSandbox(spec: PrepareSandboxRequest): Promise<Sandbox> {
    const { checkpointId } = spec;
    const machine = await makeFor(spec, () =>
      checkpointId === null ? deps.takeMachine() : machineOfCheckpoint(deps, checkpointId),
    );
    return registry.add(spec, machine);
  }

  async function startMachine(sandbox: Sandbox, restartSessions: readonly string[]): Promise<void> {
    const { spec, machine } = sandbox;
    if (machine?.vm === undefined) throw notRunning(sandbox);
    const { record } = machine;
    const sizeMB = Math.max(spec.diskMB ?? 0, record.disk.sizeMB);
    // What was saved is outdated once the machine may run: its disk changes.
    if (record.phase === "prepared") {
      await machines.save(machine, {
        ...record,
        disk: { ...record.disk, sizeMB },
        phase: "released",
      });
    }
    await forgetSaved(spec.sandboxId);
    const { vm, agent } = machine;
    const { hookError } = await tracer
      .span("start guest", () => startGuest({ vm, agent, spec, atHand: record, restartSessions }))
      .catch(async (error: unknown) => {
        countFailedStart(sandbox, deps.now());
        if (!hasFailedForGood(sandbox, deps.now())) throw error;
        log.error(
          { sandboxId: spec.sandboxId, err: error },
          "A guest that does not start is ended",
        );
        await endMachine(machine, { orderly: false }, log);
        await keepDiskAlone(sandbox, machine, record.lostBecause ?? failedMemoryReason);
        throw givenUp(sandbox, error);
      });
    sandbox.failedStarts = null;
    const startedAtUnixMilliseconds = Date.now();
    await machines.save(machine, {
      ...machine.record,
      startedAtUnixMilliseconds,
      hookError,
      phase: "started",
    });
    // Each wake puts a layer over what was saved.
    runningDisks.flattenDeep(sandbox);
  }

  /** Saves the disk of a machine that was ended, and discards the machine. */
  async function keepDiskAlone(
    sandbox: Sandbox,
    machine: Machine,
    lostBecause: string,
  ): Promise<SavedMachine> {
    const { spec } = sandbox;
    const saved = await deps.saveMachine(hibernated, spec.sandboxId, machine, {
      ...{ kind: "disk_only", sandbox: spec, lostBecause },
    });
    sandbox.machine = undefined;
    sandbox.failedStarts = null;
    await machines.discard(machine);
    return saved;
  }

  async function forgetSaved(sandboxId: string): Promise<void> {
    await warmMachines.drop(sandboxId);
    await hibernated.remove(sandboxId);
  }

  async function saveRunning(
    sandbox: Sandbox,
    into: SavedMachines,
    id: string,
    options: SaveOptions,
  ): Promise<SavedMachine> {
    try {
      return await deps.saveMachine(into, id, runningMachine(sandbox), options);
    } catch (error) {
      if (!sandbox.hasEnded || error instanceof WireError) throw error;
      const { code, message } = notRunning(sandbox);
      throw new WireError(code, message, { cause: error });
    }
  }

  return {
    async prepare(spec) {
      const { sandboxId } = spec;
      const known = preparing.get(sandboxId)?.spec ?? registry.get(sandboxId)?.spec;
      if (known !== undefined && !isDeepStrictEqual(known, spec)) {
        throw new WireError("name_in_use", `Sandbox ${sandboxId} exists with other options`);
      }
      const present = registry.get(sandboxId);
      if (present !== undefined) return describe(present);
      deps.checkSize(spec);
      let entry = preparing.get(sandboxId);
      if (entry === undefined) {
        const done = makeSandbox(spec).finally(() => preparing.delete(sandboxId));
        entry = { spec, done };
        preparing.set(sandboxId, entry);
      }
      return describe(await entry.done);
    },

    start: (sandboxId, restartSessions = []) =>
      change(sandboxId, async (sandbox) => {
        if (stateOf(sandbox) !== "running") await startMachine(sandbox, restartSessions);
        return describe(sandbox);
      }),

    async hibernate(sandboxId) {
      await runningDisks.mayDeepen(find(sandboxId));
      return change(sandboxId, async (sandbox) => {
        const present = hibernated.get(sandboxId);
        if (present !== undefined && stateOf(sandbox) !== "running") {
          // Nothing of a prepared machine has run: what was saved is still current.
          const { machine: prepared } = sandbox;
          sandbox.machine = undefined;
          if (prepared !== undefined) await machines.discard(prepared);
          return present;
        }
        const machine = runningMachine(sandbox);
        const saved = await saveRunning(sandbox, hibernated, sandboxId, {
          kind: "full",
          sandbox: sandbox.spec,
          lostBecause: null,
        });
        sandbox.machine = undefined;
        await usageMeter.readLast(machine);
        await machines.discard(machine);
        log.info({ sandboxId, sizeBytes: saved.sizeBytes }, "A sandbox was hibernated");
        void warmUpForWake(deps, sandboxId);
        return saved;
      });
    },

    wake: (sandboxId, { egressMode, egressPorts, envs }) =>
      change(sandboxId, async (sandbox) => {
        const { machine } = sandbox;
        const saved = hibernated.get(sandboxId);
        if (machine !== undefined || saved === undefined) return describe(sandbox);
        const spec = { ...sandbox.spec, egressMode, egressPorts, envs };
        const lostBecause = hasFailedForGood(sandbox, deps.now()) ? failedMemoryReason : null;
        const woken = await makeFor(spec, () =>
          machineOfHibernated(deps, saved, lostBecause),
        ).catch((error: unknown) => {
          countFailedLoad(sandbox, error, deps.now());
          throw error;
        });
        sandbox.spec = spec;
        registry.giveMachine(sandbox, woken);
        return describe(sandbox);
      }),

    async makeCheckpoint(checkpointId, { sandboxId, kind }) {
      await runningDisks.mayDeepen(find(sandboxId));
      const saved = await change(sandboxId, async (sandbox) => {
        const present = checkpoints.get(checkpointId);
        if (present !== undefined) return present;
        const made = await saveRunning(sandbox, checkpoints, checkpointId, {
          kind,
          sandbox: null,
          lostBecause: null,
        });
        runningDisks.flattenDeep(sandbox);
        return made;
      });
      void warmUpForFork(deps, checkpointId);
      return describeCheckpoint(saved);
    },

    async removeCheckpoint(checkpointId) {
      const { id } = findCheckpoint(checkpoints, checkpointId);
      await warmMachines.drop(id);
      await checkpoints.remove(id);
    },

    restore: (sandboxId, { checkpointId, egressMode, egressPorts, envs }) =>
      change(sandboxId, async (sandbox) => {
        const { kind, memoryMB } = findCheckpoint(checkpoints, checkpointId);
        // The processes in its memory may need all that they had.
        const isLarger = kind === "full" && memoryMB > sandbox.spec.memoryMB;
        const size = isLarger ? enlarged(sandbox.spec, memoryMB) : {};
        const spec = { ...sandbox.spec, egressMode, egressPorts, envs, ...size };
        const replacement = await makeFor(spec, () => machineOfCheckpoint(deps, checkpointId));
        const { machine } = sandbox;
        sandbox.spec = spec;
        registry.giveMachine(sandbox, replacement);
        if (machine !== undefined) {
          await usageMeter.readLast(machine);
          await machines.discard(machine);
        }
        await forgetSaved(sandboxId);
        return describe(sandbox);
      }),

    reboot: (sandboxId, { orderly }) =>
      change(sandboxId, async (sandbox) => {
        const { spec } = sandbox;
        const machine = runningMachine(sandbox);
        await usageMeter.readLast(machine);
        await endMachine(machine, { orderly }, log);
        const saved = await keepDiskAlone(sandbox, machine, "it was rebooted");
        if (sandbox.isRemoved) find(sandboxId);
        registry.giveMachine(sandbox, await makeFor(spec, () => machineOfHibernated(deps, saved)));
        log.info({ sandboxId, orderly }, "A sandbox was rebooted");
        return describe(sandbox);
      }),

    scale: (sandboxId, request, requester) => scaleSandbox(parts, sandboxId, request, requester),
    setAutoscale: (sandboxId, request) => setAutoscale(parts, sandboxId, request),
    setScalingLock: (sandboxId, locked) => setScalingLock(parts, sandboxId, locked),

    listRunning: () =>
      registry.list().flatMap(({ spec, machine, hasEnded, isRemoved }) => {
        if (machine === undefined || machine.record.phase !== "started") return [];
        if (hasEnded || isRemoved) return [];
        const { agent, slot, record } = machine;
        const startedAtUnixMilliseconds = record.startedAtUnixMilliseconds ?? Date.now();
        return [{ spec, agent, sourceAddress: slot.slotAddress, startedAtUnixMilliseconds }];
      }),

    get: (sandboxId) => describe(find(sandboxId)),
    list: () => registry.list().map((sandbox) => describe(sandbox)),

    async remove(sandboxId) {
      const pending = preparing.get(sandboxId);
      if (pending !== undefined) {
        // A failure is reported to the caller of `prepare`.
        await Promise.allSettled([pending.done]);
      }
      const sandbox = find(sandboxId);
      sandbox.isRemoved = true;
      if (sandbox.machine !== undefined) await usageMeter.readLast(sandbox.machine);
      // Ends everything that waits for the guest.
      await sandbox.machine?.vm?.kill();
      await sandbox.mutex(async () => {
        // Another caller may have removed it, and the id may be in use again.
        if (registry.get(sandboxId) !== sandbox) return;
        if (sandbox.machine !== undefined) await machines.discard(sandbox.machine);
        await forgetSaved(sandboxId);
        registry.delete(sandboxId);
      });
    },

    agentOf(sandboxId) {
      const sandbox = find(sandboxId);
      if (sandbox.isRemoved) throw notRunning(sandbox);
      return runningMachine(sandbox).agent;
    },

    adopt: (adopted) => adoptSandboxes(parts, adopted),

    processes: () =>
      registry.list().flatMap((sandbox) => {
        const process = sandbox.machine?.vm?.process;
        return process === undefined || stateOf(sandbox) !== "running"
          ? []
          : [{ sandboxId: sandbox.spec.sandboxId, process }];
      }),

    runningMachines: () =>
      registry.list().flatMap((sandbox) => {
        const { machine, isRemoved } = sandbox;
        if (machine?.vm === undefined || isRemoved) return [];
        return stateOf(sandbox) === "running" ? [machine] : [];
      }),

    goldenFingerprints: () =>
      [
        ...registry.list().flatMap(({ machine }) => machine?.record ?? []),
        ...hibernated.list(),
      ].map(({ disk }) => disk.goldenFingerprint),

    async trimLogs() {
      const present = registry
        .list()
        .flatMap(({ machine, isRemoved }) => (machine === undefined || isRemoved ? [] : [machine]));
      await Promise.all(present.map((machine) => machines.trimLog(machine)));
    },

    async whenIdle() {
      // A failure is reported to the caller of `prepare`.
      await Promise.allSettled([...preparing.values()].map(({ done }) => done));
      await Promise.all(registry.list().map(({ mutex }) => mutex(() => undefined)));
      return new Set(registry.list().flatMap(({ machine }) => machine?.vm?.process.pid ?? []));
    },

    async release() {
      for (const { machine } of registry.list()) {
        machine?.vm?.release();
        await machine?.agent.close();
      }
    },
  };
}
