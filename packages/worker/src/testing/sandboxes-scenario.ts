import { Tracer } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import { createSandboxes } from "../sandboxes/create-sandboxes.ts";
import type { SavedMachines } from "../saved-machines/create-saved-machines.ts";
import type { SavedMachine, SavedManifest } from "../saved-machines/saved-manifest.ts";
import { newMachineShape, shapeOf } from "../vm/machine-shape.ts";
import { createWarmMachines } from "../warm-pool/create-warm-machines.ts";
import { createFakeMachines, createJournal, type Journal, sandboxSpec } from "./fake-machines.ts";

/** Saved machines in memory, `what` of whom is written down. */
export function createFakeSaved(
  { note }: Journal,
  what: string,
): SavedMachines & {
  put(id: string, change?: Partial<SavedManifest>): SavedMachine;
} {
  const index = new Map<string, SavedMachine>();
  function put(id: string, change: Partial<SavedManifest> = {}): SavedMachine {
    const saved: SavedMachine = {
      id,
      directory: `/saved/${id}`,
      kind: "full",
      ...newMachineShape("tcg", 1024),
      machineFingerprint: "fingerprint-1",
      imageFingerprint: "image-1",
      cpuCount: 1,
      memoryMB: 1024,
      disk: { goldenFingerprint: "golden-1", layers: ["layer-s"], sizeMB: 8192 },
      sizeBytes: 4096,
      pauseMilliseconds: 0,
      sandbox: null,
      lostBecause: null,
      ...change,
    };
    index.set(id, saved);
    return saved;
  }
  return {
    put,
    get: (id) => index.get(id),
    list: () => [...index.values()],
    async make(id, fill) {
      await note(`save ${what}`);
      return put(id, await fill(`/saved/${id}.new`));
    },
    async setSandbox(id, sandbox) {
      await note(`rewrite ${what}`);
      const saved = index.get(id);
      if (saved !== undefined) index.set(id, { ...saved, sandbox });
    },
    async remove(id) {
      if (!index.delete(id)) return;
      await note(`forget ${what}`);
    },
    adopt: async () => [],
    flattenDeep: () => note(`flatten ${what}`),
  };
}

/** Sandboxes on fakes that only write down what happens to them. */
export function sandboxesScenario(options: { cpusOnline?: number[] } = {}) {
  const journal = createJournal();
  const { note, events } = journal;
  const machines = createFakeMachines(journal, options);
  const hibernated = createFakeSaved(journal, "sandbox");
  const checkpoints = createFakeSaved(journal, "checkpoint");
  const log = {
    info: () => undefined,
    warn: (_: object, message: string) => void events.push(message),
    error: (_: object, message: string) => void events.push(message),
  };
  const lastReadings: string[] = [];
  const clock = { milliseconds: 0 };
  const sandboxes = createSandboxes({
    machines,
    slots: { setMode: (_, mode) => note(`mode ${mode}`) },
    hibernated,
    checkpoints,
    saveMachine: (into, id, { record }, { kind, sandbox, lostBecause }) =>
      into.make(id, async () => {
        const { imageFingerprint, cpuCount, memoryMB, disk } = record;
        const shape = { ...shapeOf(record), imageFingerprint, cpuCount, memoryMB, disk };
        const rest = { machineFingerprint: "fingerprint-1", sizeBytes: 4096, pauseMilliseconds: 0 };
        return { ...shape, ...rest, kind, sandbox, lostBecause };
      }),
    warmMachines: createWarmMachines({ machines, isEnabled: false, log }),
    takeMachine: async () => machines.fake(),
    checkSize: ({ memoryMB }) => {
      if (memoryMB > 8192) throw new WireError("unsupported_option", "too much");
    },
    now: () => clock.milliseconds,
    tracer: new Tracer(),
    usageMeter: { readLast: async ({ id }) => void lastReadings.push(id) },
    log,
  });
  return { sandboxes, clock, lastReadings, machines, hibernated, checkpoints, ...journal };
}

/** The same with a sandbox that runs, without the events of its start. */
export async function runningScenario() {
  const scenario = sandboxesScenario();
  const { sandboxId } = await scenario.sandboxes.prepare(sandboxSpec());
  await scenario.sandboxes.start(sandboxId);
  scenario.events.length = 0;
  return scenario;
}

/** The same with a sandbox that is hibernated, without the events before. */
export async function hibernatedScenario() {
  const scenario = await runningScenario();
  await scenario.sandboxes.hibernate(sandboxSpec().sandboxId);
  scenario.events.length = 0;
  return scenario;
}

export function failsWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof WireError && error.code === code;
}
