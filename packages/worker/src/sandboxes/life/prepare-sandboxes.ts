import { isDeepStrictEqual } from "node:util";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest, WorkerSandbox } from "@opencomputer/protocol/wire";
import { machineOfCheckpoint } from "../machine/restore-machines.ts";
import type { Sandbox } from "../registry/sandbox.ts";
import { makeMachineFor } from "./machine-for-sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";

/** Makes sandboxes that do not exist yet, one machine for each id however often it is requested. */
export interface Preparations {
  /** See `Sandboxes.prepare`. */
  prepare(spec: PrepareSandboxRequest): Promise<WorkerSandbox>;
  has(sandboxId: string): boolean;
  /** Returns when this sandbox is not being prepared any more. A failure is reported to the caller of `prepare`. */
  whenEnded(sandboxId: string): Promise<void>;
  /** Returns when none of the present preparations is under way any more. */
  whenAllEnded(): Promise<void>;
}

export function createPreparations(parts: SandboxParts): Preparations {
  const { registry, checkSize } = parts;
  const preparing = new Map<string, { spec: PrepareSandboxRequest; done: Promise<Sandbox> }>();

  async function makeSandbox(spec: PrepareSandboxRequest): Promise<Sandbox> {
    const { checkpointId } = spec;
    const machine = await makeMachineFor(parts, spec, () =>
      checkpointId === null ? parts.takeMachine() : machineOfCheckpoint(parts, checkpointId),
    );
    return registry.add(spec, machine);
  }

  return {
    async prepare(spec) {
      const { sandboxId } = spec;
      const known = preparing.get(sandboxId)?.spec ?? registry.get(sandboxId)?.spec;
      if (known !== undefined && !isDeepStrictEqual(known, spec)) {
        throw new WireError("name_in_use", `Sandbox ${sandboxId} exists with other options`);
      }
      const present = registry.get(sandboxId);
      if (present !== undefined) return registry.describe(present);
      checkSize(spec);
      let entry = preparing.get(sandboxId);
      if (entry === undefined) {
        const done = makeSandbox(spec).finally(() => preparing.delete(sandboxId));
        entry = { spec, done };
        preparing.set(sandboxId, entry);
      }
      return registry.describe(await entry.done);
    },

    has: (sandboxId) => preparing.has(sandboxId),

    async whenEnded(sandboxId) {
      await Promise.allSettled([preparing.get(sandboxId)?.done]);
    },

    async whenAllEnded() {
      await Promise.allSettled([...preparing.values()].map(({ done }) => done));
    },
  };
}
