import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type PrepareSandboxRequest, WireError } from "@opencomputer/protocol";
import type { Machine, Machines } from "../machines/create-machines.ts";
import type { Spares } from "../machines/create-spares.ts";
import type { Slots } from "../network/create-slots.ts";
import type { SavedMachines } from "../saved-state/create-saved-machines.ts";
import { describeCheckpoint } from "../saved-state/describe-checkpoint.ts";
import type { MakeSaved } from "../saved-state/save-machine.ts";
import type { SavedMachine } from "../saved-state/saved-machine.ts";
import { asStorageError } from "../saved-state/storage-error.ts";
import { enlarged, hostSizeOf } from "../scaling/sandbox-size.ts";
import { createScaleSandboxes } from "../scaling/scale-sandboxes.ts";
import { createTurns } from "../turns.ts";
import { endMachine } from "./end-machine.ts";
import { createRestoreMachines } from "./restore-machines.ts";
import { createRunningDisks } from "./running-disks.ts";
import { describeSandbox, notRunning, runningMachine, type Sandbox, stateOf } from "./sandbox.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { startGuest } from "./start-guest.ts";

export function createSandboxes(deps: {
  machines: Machines;
  slots: Slots;
  hibernated: SavedMachines;
  checkpoints: SavedMachines;
  saveMachine: MakeSaved;
  spares: Spares;
  /** A paused machine of the current golden snapshot, from the pool or a new one. */
  takeMachine: () => Promise<Machine>;
  checkSize: (spec: PrepareSandboxRequest) => void;
  log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Sandboxes {
  const { machines, slots, hibernated, checkpoints, spares, log } = deps;
  const restored = createRestoreMachines(deps);
  const sandboxes = new Map<string, Sandbox>();
  const preparing = new Map<string, { spec: PrepareSandboxRequest; done: Promise<Sandbox> }>();

  function find(sandboxId: string): Sandbox {
    const sandbox = sandboxes.get(sandboxId);
    if (sandbox === undefined) {
      throw new WireError("sandbox_not_found", `There is no sandbox ${sandboxId} on this host`);
    }
    return sandbox;
  }

  /** Runs a change when those before it are done, unless the sandbox has gone meanwhile. */
  function change<Result>(sandboxId: string, work: (sandbox: Sandbox) => Promise<Result>) {
    const sandbox = find(sandboxId);
    return sandbox.turns.take(async () => {
      if (sandbox.isRemoved) find(sandboxId);
      await settleEnded(sandbox);
      return work(sandbox);
    });
  }

  const describe = (sandbox: Sandbox) =>
    describeSandbox(sandbox, hibernated.get(sandbox.spec.sandboxId));

  const runningDisks = createRunningDisks({ machines, change, log });
  const scaling = createScaleSandboxes({ ...deps, change, describe });

  function add(spec: PrepareSandboxRequest, machine?: Machine): Sandbox {
    const sandbox: Sandbox = {
      spec,
      machine: undefined,
      hasEnded: false,
      isRemoved: false,
      turns: createTurns(),
    };
    sandboxes.set(spec.sandboxId, sandbox);
    if (machine !== undefined) giveMachine(sandbox, machine);
    return sandbox;
  }

  function giveMachine(sandbox: Sandbox, machine: Machine): void {
    sandbox.machine = machine;
    sandbox.hasEnded = false;
    machine.vm?.onEnd(() => {
      if (sandbox.machine !== machine || sandbox.isRemoved) return;
      sandbox.hasEnded = true;
      sandbox.turns
        .take(() => settleEnded(sandbox))
        .catch((error: unknown) => {
          const { sandboxId } = sandbox.spec;
          log.error({ sandboxId, err: error }, "A sandbox whose machine has ended cannot be kept");
        });
    });
  }

  /**
   * When its machine has ended by itself, what was saved holds, else its disk
   * is all that is left. What fails, as on a full disk, is tried again by the
   * next one who wants something of the sandbox.
   */
  async function settleEnded(sandbox: Sandbox): Promise<void> {
    const { machine } = sandbox;
    if (machine === undefined || !sandbox.hasEnded || sandbox.isRemoved) return;
    const { sandboxId } = sandbox.spec;
    const messages = await machines
      .lastMessages(machine)
      .catch((error: unknown) => `its messages cannot be read: ${String(error)}`);
    log.error({ sandboxId, messages }, "A sandbox's machine has ended by itself");
    if (hibernated.get(sandboxId) === undefined) {
      await deps.saveMachine(hibernated, sandboxId, machine, {
        kind: "disk_only",
        sandbox: sandbox.spec,
        lostBecause: "its machine ended by itself",
      });
    }
    sandbox.machine = undefined;
    await machines.discard(machine);
  }

  /** Its record, its rules and its limits are in place before anything of it runs. */
  async function assign(machine: Machine, spec: PrepareSandboxRequest): Promise<void> {
    await Promise.all([
      machines.save(machine, { ...machine.record, sandbox: spec, machineId: randomUUID() }),
      slots.setMode(machine.slot, spec.egressMode),
      machines.limit(machine, hostSizeOf(spec), false),
    ]);
  }

  async function makeFor(spec: PrepareSandboxRequest, make: () => Promise<Machine>) {
    const machine = await make().catch((error: unknown) => {
      throw asStorageError(error);
    });
    try {
      await assign(machine, spec);
      return machine;
    } catch (error) {
      await machines.discard(machine);
      throw asStorageError(error);
    }
  }

  async function makeSandbox(spec: PrepareSandboxRequest): Promise<Sandbox> {
    const { checkpointId } = spec;
    const machine = await makeFor(spec, () =>
      checkpointId === null ? deps.takeMachine() : restored.ofCheckpoint(checkpointId),
    );
    return add(spec, machine);
  }

  async function startMachine(sandbox: Sandbox, restartSessions: readonly string[]): Promise<void> {
    const { spec, machine } = sandbox;
    if (machine?.vm === undefined) throw notRunning(sandbox);
    const { record } = machine;
    const sizeMB = Math.max(spec.diskMB ?? 0, record.disk.sizeMB);
    // What was saved is over once the machine may run: its disk moves on.
    if (record.phase === "prepared") {
      await machines.save(machine, {
        ...record,
        disk: { ...record.disk, sizeMB },
        phase: "released",
      });
    }
    await forgetSaved(spec.sandboxId);
    const { vm, agent } = machine;
    const { hookError } = await startGuest({ vm, agent, spec, atHand: record, restartSessions });
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

  async function forgetSaved(sandboxId: string): Promise<void> {
    await spares.drop(sandboxId);
    await hibernated.remove(sandboxId);
  }

  async function saveRunning(
    sandbox: Sandbox,
    into: SavedMachines,
    id: string,
    options: Parameters<MakeSaved>[3],
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
      const known = preparing.get(sandboxId)?.spec ?? sandboxes.get(sandboxId)?.spec;
      if (known !== undefined && !isDeepStrictEqual(known, spec)) {
        throw new WireError("name_in_use", `Sandbox ${sandboxId} is here with other options`);
      }
      const present = sandboxes.get(sandboxId);
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
          // Of a machine that was prepared nothing has run: what was saved is what there is.
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
        await machines.discard(machine);
        log.info({ sandboxId, sizeBytes: saved.sizeBytes }, "A sandbox hibernates");
        void restored.standReadyToWake(sandboxId);
        return saved;
      });
    },

    wake: (sandboxId, { egressMode, envs }) =>
      change(sandboxId, async (sandbox) => {
        const { machine } = sandbox;
        const saved = hibernated.get(sandboxId);
        if (machine !== undefined || saved === undefined) return describe(sandbox);
        const spec = { ...sandbox.spec, egressMode, envs };
        const woken = await makeFor(spec, () => restored.ofHibernated(saved));
        sandbox.spec = spec;
        giveMachine(sandbox, woken);
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
      void restored.standReadyToFork(checkpointId);
      return describeCheckpoint(saved);
    },

    async removeCheckpoint(checkpointId) {
      const { id } = restored.findCheckpoint(checkpointId);
      await spares.drop(id);
      await checkpoints.remove(id);
    },

    restore: (sandboxId, { checkpointId, egressMode, envs }) =>
      change(sandboxId, async (sandbox) => {
        const { kind, memoryMB } = restored.findCheckpoint(checkpointId);
        // The processes in its memory may need all that they had.
        const isLarger = kind === "full" && memoryMB > sandbox.spec.memoryMB;
        const size = isLarger ? enlarged(sandbox.spec, memoryMB) : {};
        const spec = { ...sandbox.spec, egressMode, envs, ...size };
        const replacement = await makeFor(spec, () => restored.ofCheckpoint(checkpointId));
        const { machine } = sandbox;
        sandbox.spec = spec;
        giveMachine(sandbox, replacement);
        if (machine !== undefined) await machines.discard(machine);
        await forgetSaved(sandboxId);
        return describe(sandbox);
      }),

    reboot: (sandboxId, { orderly }) =>
      change(sandboxId, async (sandbox) => {
        const { spec } = sandbox;
        const machine = runningMachine(sandbox);
        await endMachine(machine, { orderly }, log);
        const saved = await deps.saveMachine(hibernated, sandboxId, machine, {
          kind: "disk_only",
          sandbox: spec,
          lostBecause: "it was rebooted",
        });
        sandbox.machine = undefined;
        await machines.discard(machine);
        if (sandbox.isRemoved) find(sandboxId);
        giveMachine(sandbox, await makeFor(spec, () => restored.ofHibernated(saved)));
        log.info({ sandboxId, orderly }, "A sandbox is rebooted");
        return describe(sandbox);
      }),

    ...scaling,

    listRunning: () =>
      [...sandboxes.values()].flatMap(({ spec, machine, hasEnded, isRemoved }) => {
        if (machine === undefined || machine.record.phase !== "started") return [];
        if (hasEnded || isRemoved) return [];
        const { agent, slot, record } = machine;
        const startedAtUnixMilliseconds = record.startedAtUnixMilliseconds ?? Date.now();
        return [{ spec, agent, sourceAddress: slot.slotAddress, startedAtUnixMilliseconds }];
      }),

    get: (sandboxId) => describe(find(sandboxId)),
    list: () => [...sandboxes.values()].map((sandbox) => describe(sandbox)),

    async remove(sandboxId) {
      const pending = preparing.get(sandboxId);
      if (pending !== undefined) {
        // Its own caller hears why it could not be prepared.
        await Promise.allSettled([pending.done]);
      }
      const sandbox = find(sandboxId);
      sandbox.isRemoved = true;
      // Whatever waits for the guest is over with it.
      await sandbox.machine?.vm?.kill();
      await sandbox.turns.take(async () => {
        // Another caller may have done it, and the id may be in use again.
        if (sandboxes.get(sandboxId) !== sandbox) return;
        if (sandbox.machine !== undefined) await machines.discard(sandbox.machine);
        await forgetSaved(sandboxId);
        sandboxes.delete(sandboxId);
      });
    },

    agentOf(sandboxId) {
      const sandbox = find(sandboxId);
      if (sandbox.isRemoved) throw notRunning(sandbox);
      return runningMachine(sandbox).agent;
    },

    async adopt(adopted) {
      for (const saved of hibernated.list()) {
        if (saved.sandbox !== null) add(saved.sandbox);
      }
      // Of two machines of one sandbox, the one that has started is the sandbox's.
      const started = adopted.filter(({ record }) => record.phase !== "prepared");
      const prepared = adopted.filter(({ record }) => record.phase === "prepared");
      for (const machine of [...started, ...prepared]) await adoptMachine(machine);
    },

    processes: () =>
      [...sandboxes.entries()].flatMap(([sandboxId, sandbox]) => {
        const process = sandbox.machine?.vm?.process;
        return process === undefined || stateOf(sandbox) !== "running"
          ? []
          : [{ sandboxId, process }];
      }),

    goldenFingerprints: () =>
      [
        ...[...sandboxes.values()].flatMap(({ machine }) => machine?.record ?? []),
        ...hibernated.list(),
      ].map(({ disk }) => disk.goldenFingerprint),

    async trimLogs() {
      const present = [...sandboxes.values()].flatMap(({ machine, isRemoved }) =>
        machine === undefined || isRemoved ? [] : [machine],
      );
      await Promise.all(present.map((machine) => machines.trimLog(machine)));
    },

    async settle() {
      // Whoever asked for a sandbox that cannot be prepared hears of it.
      await Promise.allSettled([...preparing.values()].map(({ done }) => done));
      await Promise.all([...sandboxes.values()].map(({ turns }) => turns.settle()));
      return new Set(
        [...sandboxes.values()].flatMap(({ machine }) => machine?.vm?.process.pid ?? []),
      );
    },

    async release() {
      for (const { machine } of sandboxes.values()) {
        machine?.vm?.release();
        await machine?.agent.close();
      }
    },
  };

  async function adoptMachine(machine: Machine): Promise<void> {
    const { sandbox: spec, phase } = machine.record;
    if (spec === null) return;
    const { sandboxId } = spec;
    const present = sandboxes.get(sandboxId);
    const isOver =
      present?.machine !== undefined || (present !== undefined && phase !== "prepared");
    if (isOver) {
      // It was replaced, or saved, and its worker ended before it could be discarded.
      log.info({ sandboxId, machineId: machine.id }, "A machine that is over is discarded");
      return machines.discard(machine);
    }
    const sandbox = present ?? add(spec);
    sandbox.spec = spec;
    await ensureMachineId(machine);
    giveMachine(sandbox, machine);
    if (machine.vm === undefined) sandbox.hasEnded = true;
    try {
      await settleEnded(sandbox);
      if (phase === "started") await machine.vm?.resume();
    } catch (error) {
      // One sandbox keeps no other from being taken over.
      log.error({ sandboxId, err: error }, "A sandbox could not be brought to what it was");
    }
    log.info({ sandboxId, state: stateOf(sandbox) }, "A sandbox was taken over");
  }

  /** A record of an older worker has none. A full disk only means that the next worker mints another. */
  async function ensureMachineId(machine: Machine): Promise<void> {
    if (machine.record.machineId !== null) return;
    const record = { ...machine.record, machineId: randomUUID() };
    try {
      await machines.save(machine, record);
    } catch (error) {
      log.warn({ machineId: machine.id, err: error }, "The id of a machine could not be stored");
      machine.record = record;
    }
  }
}
