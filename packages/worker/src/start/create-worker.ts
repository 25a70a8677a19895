import { randomUUID } from "node:crypto";
import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import { type Tracer, traceCalls } from "@opencomputer/process";
import { type MachineUsage, serviceLimits, type WorkerStatus } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { createLayers } from "../disks/create-layers.ts";
import { hostPaths } from "../files/host-paths.ts";
import { createGoldenStore } from "../golden/create-golden-store.ts";
import { createByteBudget } from "../guest/guest-bounds.ts";
import type { Host } from "../host-calls/host.ts";
import { createMachines } from "../machines/create-machines.ts";
import { startMetadataService } from "../metadata/start-metadata-service.ts";
import { createSlots } from "../network/create-slots.ts";
import type { NetworkBlock } from "../network/network-block.ts";
import { createSandboxes } from "../sandboxes/create-sandboxes.ts";
import type { Sandboxes } from "../sandboxes/sandboxes.ts";
import {
  createSavedMachines,
  type SavedMachines,
} from "../saved-machines/create-saved-machines.ts";
import { saveMachine } from "../saved-machines/save-machine.ts";
import { checkSize, hostCapacity } from "../scaling/host-capacity.ts";
import { startAutoscaler } from "../scaling/start-autoscaler.ts";
import { createUsageMeter } from "../usage/create-usage-meter.ts";
import { readMachine } from "../usage/read-machine.ts";
import { type CpuWatch, createCpuWatch } from "../use/create-cpu-watch.ts";
import { createUseWatch, type UseWatch } from "../use/create-use-watch.ts";
import { createQemu } from "../vm/create-qemu.ts";
import { readHostProcessor } from "../vm/host-processor.ts";
import { machineFingerprint } from "../vm/machine-fingerprint.ts";
import type { Accelerator, MachineShape } from "../vm/machine-shape.ts";
import { processorModel } from "../vm/processor-model.ts";
import { assertReadOnlyMemoryLibrary } from "../vm/qemu-confinement.ts";
import { createWarmMachines } from "../warm-pool/create-warm-machines.ts";
import { adoptEarlierWorker } from "./adopt-earlier-worker.ts";
import { createCertificateTrust } from "./certificate-trust.ts";
import type { AcceleratorSetting } from "./choose-accelerator.ts";
import { createReadiness } from "./readiness.ts";

export interface WorkerOptions {
  readonly dataDirectory: string;
  /** Short: it holds Unix sockets. Its content does not outlive the host's uptime. */
  readonly runtimeDirectory: string;
  /** Eight hexadecimal digits that are in every name on the host. */
  readonly installationId: string;
  readonly networkBlock: NetworkBlock;
  readonly guestImageDirectory: string;
  readonly accelerator: AcceleratorSetting;
  readonly warmPoolSize: number;
}

export interface Worker {
  readonly sandboxes: Sandboxes;
  readonly checkpoints: Pick<SavedMachines, "list">;
  readonly cpuWatch: Pick<CpuWatch, "lastUsedAt">;
  readonly useWatch: Pick<UseWatch, "begin" | "watch" | "useOf" | "forget">;
  status(): WorkerStatus;
  /** What the machines of sandboxes take of the host. */
  readUsage(): Promise<MachineUsage[]>;
  /** What of the host is in use. */
  occupancy(): WorkerOccupancy;
  /** Makes every later sandbox trust the certificate. Returns at once; `status` reports the progress. */
  trust(certificatePem: string): void;
  /** Notes that a request is being served, so that refilling the warm pool waits. */
  noteActivity(): void;
  /** Discards the warm pool and releases the sandboxes, which keep running; without any, nothing stays on the host. */
  close(): Promise<void>;
}

/** What the worker has to give out. */
export interface WorkerOccupancy {
  readonly slots: { readonly taken: number; readonly total: number };
  /** Warm machines for new sandboxes. None are warm while the worker is not ready. */
  readonly warmMachines: { readonly ready: number; readonly wanted: number };
}

const logTrimIntervalMilliseconds = 60_000;

/** Adopts what an earlier worker left, and prepares for sandboxes in the background. */
export async function createWorker(
  options: WorkerOptions,
  host: Host,
  tracer: Tracer,
  log: Logger,
): Promise<Worker> {
  const { installationId, networkBlock, dataDirectory, runtimeDirectory } = options;
  const directories = hostPaths({ dataDirectory, runtimeDirectory });
  const capacity = hostCapacity();
  const { limitsEnforced } = await host.describe();

  await assertReadOnlyMemoryLibrary();
  const hypervisor = traceCalls(tracer, createQemu({ host, log }), {
    peer: "QEMU",
    calls: { start: "start" },
  });
  const hypervisorVersion = await hypervisor.version();
  const processor = await readHostProcessor();
  const fingerprintOf = (shape: MachineShape) =>
    machineFingerprint({ shape, hypervisorVersion, processor });

  const processorModelOf = (accelerator: Accelerator) =>
    processorModel(accelerator, processor.flags);

  const layers = await createLayers(directories.layers, { rebase: host.rebaseLayer });
  const slots = createSlots({ installationId, block: networkBlock, host });
  const budget = createByteBudget(serviceLimits.agentResponsesBytesTotalMax);
  const machines = createMachines({
    ...{ hypervisor, slots, host, budget, layers, directories, tracer, log },
    ...{ fingerprintOf, processorModelOf },
  });
  const hibernated = createSavedMachines({ directory: directories.hibernated, layers, log });
  const checkpoints = createSavedMachines({ directory: directories.checkpoints, layers, log });
  const warmMachines = createWarmMachines({ machines, isEnabled: options.warmPoolSize > 0, log });

  const readiness = createReadiness();
  const usageMeter = createUsageMeter({
    readMachine: (machine) => readMachine(machine, { layers }),
    log,
  });
  const sandboxes = createSandboxes({
    ...{ machines, slots, hibernated, checkpoints, warmMachines, usageMeter, tracer, log },
    saveMachine: (...save) =>
      tracer.span("save machine", () =>
        saveMachine({ machines, layers, fingerprintOf, log }, ...save),
      ),
    takeMachine: async () => readiness.pool().take(),
    checkSize: (spec) => checkSize(spec, capacity, readiness.imageDiskMB()),
    now: () => performance.now(),
  });
  const quarantined = await adoptEarlierWorker({
    ...{ hibernated, checkpoints, machines, layers, sandboxes, host },
  });

  const socketDirectory = directories.sockets;
  const boot = { hypervisor, slots, budget, socketDirectory };
  const goldens = createGoldenStore({
    ...{ boot, fingerprintOf, directories, log },
    makeEmptyLayer: layers.makeEmpty,
  });
  const certificateTrust = createCertificateTrust({
    ...{ readiness, goldens, machines, sandboxes, checkpoints, boot, directories, log },
    guestImageDirectory: options.guestImageDirectory,
    acceleratorSetting: options.accelerator,
    acceleratorPath: join(dataDirectory, "worker/accelerator.json"),
    hostDescription: [
      hypervisorVersion,
      `Linux ${kernelRelease()}`,
      processor.name,
      processorModelOf("kvm"),
    ].join(", "),
    processorFlags: processor.flags,
    warmPoolSize: options.warmPoolSize,
    mayRemoveGoldens: quarantined.length === 0,
  });

  const { listRunning, scale } = sandboxes;
  const address = networkBlock.egressAddress;
  const metadata = await startMetadataService({ address, listRunning, scale, now: Date.now, log });
  const autoscaler = startAutoscaler({ listRunning, scale, log });
  const logTrimming = startLogTrimming(sandboxes, log);
  const useWatch = createUseWatch();
  const cpuWatch = createCpuWatch({
    list: () => sandboxes.processes(),
    onFailure: (error) => log.warn({ err: error }, "The CPU time of machines cannot be read"),
  });
  const instanceId = randomUUID();
  readiness.enter({ name: "waiting" });

  return {
    sandboxes,
    checkpoints,
    cpuWatch,
    useWatch,
    status: () => ({
      instanceId,
      ...readiness.describe(),
      ...capacity,
      sandboxCount: sandboxes.list().length,
      limitsEnforced,
      quarantined,
    }),
    readUsage: () => usageMeter.read(sandboxes.runningMachines()),
    occupancy() {
      const state = readiness.state();
      return {
        slots: { taken: slots.takenCount, total: networkBlock.slotCount },
        warmMachines: {
          ready: state.name === "ready" ? state.pool.readyCount : 0,
          wanted: options.warmPoolSize,
        },
      };
    },
    trust: (certificatePem) => certificateTrust.trust(certificatePem),
    noteActivity() {
      const state = readiness.state();
      if (state.name === "ready") state.pool.noteActivity();
      warmMachines.noteActivity();
    },
    async close() {
      const last = readiness.state();
      readiness.enter({ name: "closed" });
      for (const watch of [logTrimming, cpuWatch, useWatch, autoscaler]) watch.close();
      await metadata.close();
      const processesOfSandboxes = await sandboxes.whenIdle();
      await Promise.all([last.name === "ready" && last.pool.close(), warmMachines.close()]);
      // Ends the machine of a bake, and with it the preparation.
      await machines.killOthers(processesOfSandboxes);
      await certificateTrust.whenIdle();
      await sandboxes.release();
      if (quarantined.length > 0) return;
      if (sandboxes.list().some(({ state }) => state !== "hibernated")) return;
      await slots.closeOrphans();
      await host.removeGroupsBut([]);
      await host.tearDownGroups();
      await host.tearDownNetwork();
    },
  };
}

/** Keeps the logs of machines within their limit until it is closed. */
function startLogTrimming(sandboxes: Sandboxes, log: Pick<Logger, "warn">): { close(): void } {
  const timer = setInterval(() => {
    sandboxes
      .trimLogs()
      .catch((error: unknown) => log.warn({ err: error }, "A machine's log could not be trimmed"));
  }, logTrimIntervalMilliseconds);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
