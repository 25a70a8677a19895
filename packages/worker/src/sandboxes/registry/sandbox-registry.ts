import { runOutsideTraces } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest, WorkerSandbox } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import type { Machines } from "../../machines/create-machines.ts";
import type { Machine } from "../../machines/machine.ts";
import type { SavedMachines } from "../../saved-machines/create-saved-machines.ts";
import type { SaveOptions } from "../../saved-machines/save-machine.ts";
import type { SavedMachine } from "../../saved-machines/saved-manifest.ts";
import { describeSandbox, type Sandbox } from "./sandbox.ts";

/** The sandboxes of this host by their ids, each with the machine that it has now. */
export interface SandboxRegistry {
  /** @throws {WireError} `sandbox_not_found` */
  find(sandboxId: string): Sandbox;
  /** Undefined when there is none. */
  get(sandboxId: string): Sandbox | undefined;
  list(): Sandbox[];
  add(spec: PrepareSandboxRequest, machine?: Machine): Sandbox;
  /** Replaces the machine of a sandbox, and follows when it ends. */
  giveMachine(sandbox: Sandbox, machine: Machine): void;
  /**
   * Runs a change after those before it.
   *
   * @throws {WireError} `sandbox_not_found`, also when it was removed meanwhile.
   */
  change<Result>(sandboxId: string, work: (sandbox: Sandbox) => Promise<Result>): Promise<Result>;
  /**
   * Brings a sandbox whose machine has ended to what is left of it: what was
   * saved, if anything was, otherwise its disk. What fails, for instance on a full
   * disk, is tried again by the next change of the sandbox.
   */
  reconcileEnded(sandbox: Sandbox): Promise<void>;
  describe(sandbox: Sandbox): WorkerSandbox;
  delete(sandboxId: string): void;
}

/** Saves a machine into one of the directories of saved machines. */
export type SaveMachine = (
  into: SavedMachines,
  id: string,
  machine: Machine,
  options: SaveOptions,
) => Promise<SavedMachine>;

export function createSandboxRegistry(deps: {
  machines: Pick<Machines, "lastMessages" | "discard">;
  hibernated: SavedMachines;
  saveMachine: SaveMachine;
  log: { error(details: object, message: string): void };
}): SandboxRegistry {
  const { machines, hibernated, log } = deps;
  const sandboxes = new Map<string, Sandbox>();

  function find(sandboxId: string): Sandbox {
    const sandbox = sandboxes.get(sandboxId);
    if (sandbox === undefined) {
      throw new WireError("sandbox_not_found", `There is no sandbox ${sandboxId} on this host`);
    }
    return sandbox;
  }

  function giveMachine(sandbox: Sandbox, machine: Machine): void {
    sandbox.machine = machine;
    sandbox.hasEnded = false;
    machine.vm?.onEnd(() => {
      if (sandbox.machine !== machine || sandbox.isRemoved) return;
      sandbox.hasEnded = true;
      // The request that the machine was started by has ended long ago.
      runOutsideTraces(() => sandbox.mutex(() => reconcileEnded(sandbox))).catch(
        (error: unknown) => {
          const { sandboxId } = sandbox.spec;
          log.error(
            { sandboxId, err: error },
            "The disk of a sandbox whose machine has ended could not be saved",
          );
        },
      );
    });
  }

  async function reconcileEnded(sandbox: Sandbox): Promise<void> {
    const { machine } = sandbox;
    if (machine === undefined || !sandbox.hasEnded || sandbox.isRemoved) return;
    const { sandboxId } = sandbox.spec;
    const messages = await machines
      .lastMessages(machine)
      .catch((error: unknown) => `its messages cannot be read: ${String(error)}`);
    log.error({ sandboxId, messages }, "A sandbox's machine has ended unexpectedly");
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

  return {
    find,
    get: (sandboxId) => sandboxes.get(sandboxId),
    list: () => [...sandboxes.values()],
    giveMachine,
    reconcileEnded,

    add(spec, machine) {
      const sandbox: Sandbox = {
        spec,
        machine: undefined,
        hasEnded: false,
        isRemoved: false,
        failedStarts: null,
        mutex: pLimit(1),
      };
      sandboxes.set(spec.sandboxId, sandbox);
      if (machine !== undefined) giveMachine(sandbox, machine);
      return sandbox;
    },

    async change(sandboxId, work) {
      const sandbox = find(sandboxId);
      return sandbox.mutex(async () => {
        if (sandbox.isRemoved) find(sandboxId);
        await reconcileEnded(sandbox);
        return work(sandbox);
      });
    },

    describe: (sandbox) => describeSandbox(sandbox, hibernated.get(sandbox.spec.sandboxId)),
    delete: (sandboxId) => void sandboxes.delete(sandboxId),
  };
}
