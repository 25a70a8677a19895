import { randomUUID } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import { limits, WireError, type WorkerStatus } from "@opencomputer/protocol";
import type { Logger } from "pino";
import { type CpuWatch, createCpuWatch } from "./cpu-use/create-cpu-watch.ts";
import { createLayers } from "./disks/create-layers.ts";
import { createGoldenStore } from "./golden/create-golden-store.ts";
import { createByteBudget } from "./guest/byte-budget.ts";
import type { Host } from "./host/host.ts";
import { hostPaths } from "./host/host-paths.ts";
import { checkSize, hostCapacity } from "./host-capacity.ts";
import { createBootMachine } from "./machines/boot-machine.ts";
import { createMachinePool, type MachinePool } from "./machines/create-machine-pool.ts";
import { createMachines } from "./machines/create-machines.ts";
import { createSpares } from "./machines/create-spares.ts";
import { freshMachine } from "./machines/origin.ts";
import { startMetadataService } from "./metadata/start-metadata-service.ts";
import { createSlots } from "./network/create-slots.ts";
import type { NetworkBlock } from "./network/network-block.ts";
import { createSandboxes } from "./sandboxes/create-sandboxes.ts";
import type { Sandboxes } from "./sandboxes/sandboxes.ts";
import { createSavedMachines, type SavedMachines } from "./saved-state/create-saved-machines.ts";
import { createSaveMachine } from "./saved-state/save-machine.ts";
import { startAutoscaler } from "./scaling/start-autoscaler.ts";
import { createUseWatch, type UseWatch } from "./use/create-use-watch.ts";
import { createQemu } from "./vm/create-qemu.ts";
import { machineFingerprint } from "./vm/machine-fingerprint.ts";
import type { Accelerator, MachineShape } from "./vm/machine-shape.ts";
import { assertReadOnlyMemoryLibrary } from "./vm/qemu-confinement.ts";

export interface WorkerOptions {
  readonly dataDirectory: string;
  /** Short: it holds Unix sockets. Its content does not outlive the host's uptime. */
  readonly runtimeDirectory: string;
  /** Eight hexadecimal digits that are in every name on the host. */
  readonly installationId: string;
  readonly networkBlock: NetworkBlock;
  readonly guestImageDirectory: string;
  readonly accelerator: "auto" | "kvm" | "tcg";
  readonly warmPoolSize: number;
}

export interface Worker {
  readonly sandboxes: Sandboxes;
  readonly checkpoints: Pick<SavedMachines, "list">;
  readonly cpuWatch: Pick<CpuWatch, "lastUsedAt">;
  readonly useWatch: Pick<UseWatch, "begin" | "watch" | "useOf" | "forget">;
  status(): WorkerStatus;
  /** Makes every later sandbox trust the certificate. Returns at once; `status` tells the progress. */
  trust(certificatePem: string): void;
  /** Tells that a request is being served, so that refilling the pool waits. */
  noteActivity(): void;
  /** Discards the pool and lets go of the sandboxes, which run on; without any, nothing stays on the host. */
  close(): Promise<void>;
}

const logTrimIntervalMilliseconds = 60_000;

/** Takes over what an earlier worker left, and gets ready for sandboxes in the background. */
export async function createWorker(
  options: WorkerOptions,
  host: Host,
  log: Logger,
): Promise<Worker> {
  const { installationId, networkBlock, dataDirectory, runtimeDirectory } = options;
  const directories = hostPaths({ dataDirectory, runtimeDirectory });
  await assertReadOnlyMemoryLibrary();
  const hypervisor = createQemu({ host, log });
  const hypervisorVersion = await hypervisor.version();
  const processor = cpus()[0]?.model ?? "";
  const fingerprintOf = (shape: MachineShape) =>
    machineFingerprint({ shape, hypervisorVersion, processor });
  const layers = await createLayers(directories.layers, { rebase: host.rebaseLayer });
  const budget = createByteBudget(limits.agentAnswersBytesTotalMax);
  const { limitsEnforced } = await host.describe();
  const slots = createSlots({ installationId, block: networkBlock, host });
  const machines = createMachines({
    hypervisor,
    slots,
    host,
    budget,
    layers,
    fingerprintOf,
    directories,
    log,
  });
  const hibernated = createSavedMachines({ directory: directories.hibernated, layers, log });
  const checkpoints = createSavedMachines({ directory: directories.checkpoints, layers, log });
  const bootMachine = createBootMachine({
    hypervisor,
    slots,
    budget,
    socketDirectory: directories.sockets,
  });
  const goldens = createGoldenStore({
    hypervisorVersion,
    processor,
    bootMachine,
    setting: options.accelerator,
    guestImageDirectory: options.guestImageDirectory,
    makeEmptyLayer: layers.makeEmpty,
    fingerprintOf,
    directories: { golden: directories.golden, images: directories.images },
    acceleratorPath: join(dataDirectory, "worker/accelerator.json"),
    log,
  });

  const instanceId = randomUUID();
  const capacity = hostCapacity();
  let stage = "starting";
  let failure: string | null = null;
  let accelerator: Accelerator | null = null;
  let pool: MachinePool | undefined;
  let imageDiskMB = 0;
  let trusted: string | undefined;
  let closed = false;
  // Changes of trust come one after the other; the last one holds.
  let preparation: Promise<void> = Promise.resolve();

  const spares = createSpares({ machines, isEnabled: options.warmPoolSize > 0, log });
  const sandboxes = createSandboxes({
    machines,
    slots,
    hibernated,
    checkpoints,
    spares,
    saveMachine: createSaveMachine({ machines, layers, fingerprintOf, log }),
    log,
    takeMachine: () => readyPool().take(),
    checkSize: (spec) => checkSize(spec, capacity, imageDiskMB),
  });

  function readyPool(): MachinePool {
    if (pool !== undefined) return pool;
    throw new WireError(
      "worker_unavailable",
      failure === null
        ? `The worker is not ready yet: ${stage}`
        : `The worker cannot take sandboxes: ${failure}`,
    );
  }

  async function prepareFor(certificatePem: string): Promise<void> {
    failure = null;
    const previousPool = pool;
    pool = undefined;
    await previousPool?.close();
    const prepared = await goldens.ensure(certificatePem, (text) => {
      stage = text;
      log.info({ stage }, "Getting ready");
    });
    if (closed) return;
    await sandboxes.settle();
    const { golden } = prepared;
    if (quarantined.length === 0) {
      await goldens.removeOthers(
        new Set([
          golden.fingerprint,
          ...sandboxes.goldenFingerprints(),
          ...checkpoints.list().map(({ disk }) => disk.goldenFingerprint),
        ]),
      );
    }
    accelerator = prepared.shape.accelerator;
    const size = options.warmPoolSize;
    imageDiskMB = golden.diskMB;
    const origin = () => freshMachine(golden, prepared.shape);
    pool = createMachinePool({
      machines,
      origin,
      size,
      onFailure: (error) => log.error({ err: error }, "A machine for the pool could not be made"),
      log,
    });
    stage = "ready";
    log.info({ accelerator, golden: golden.fingerprint }, "Ready for sandboxes");
  }

  const unreadableSaves = [...(await hibernated.adopt()), ...(await checkpoints.adopt())];
  const adopted = await machines.adopt();
  const quarantined = [...unreadableSaves, ...adopted.unreadable];
  // What cannot be read may need any file that nobody else needs.
  if (quarantined.length === 0) await layers.removeStrays();
  await host.setUpNetwork();
  await sandboxes.adopt(adopted.machines);
  const metadata = await startMetadataService({
    address: networkBlock.egressAddress,
    listRunning: sandboxes.listRunning,
    scale: sandboxes.scale,
    now: Date.now,
    log,
  });
  const autoscaler = startAutoscaler({
    listRunning: sandboxes.listRunning,
    scale: sandboxes.scale,
    log,
  });
  stage = "waiting for the control plane's certificate";

  const trimming = setInterval(() => {
    sandboxes
      .trimLogs()
      .catch((error: unknown) => log.warn({ err: error }, "A machine's log could not be trimmed"));
  }, logTrimIntervalMilliseconds);
  trimming.unref();
  const useWatch = createUseWatch();
  const cpuWatch = createCpuWatch({
    list: () => sandboxes.processes(),
    onFailure: (error) => log.warn({ err: error }, "The CPU time of machines cannot be read"),
  });

  return {
    sandboxes,
    checkpoints,
    cpuWatch,
    useWatch,
    status: () => ({
      instanceId,
      ready: pool !== undefined,
      stage,
      failure,
      accelerator,
      ...capacity,
      sandboxCount: sandboxes.list().length,
      limitsEnforced,
      quarantined,
    }),
    trust(certificatePem) {
      if (trusted === certificatePem) return;
      trusted = certificatePem;
      preparation = preparation
        .then(() => (closed ? undefined : prepareFor(certificatePem)))
        .catch((error: unknown) => {
          if (closed) return log.info({ err: error }, "Getting ready was broken off");
          log.error({ err: error }, "The worker cannot get ready");
          failure = describeFailure(error);
          stage = "failed";
          trusted = undefined;
        });
    },
    noteActivity() {
      pool?.noteActivity();
      spares.noteActivity();
    },
    async close() {
      closed = true;
      clearInterval(trimming);
      cpuWatch.close();
      useWatch.close();
      autoscaler.stop();
      await metadata.close();
      const processesOfSandboxes = await sandboxes.settle();
      await Promise.all([pool?.close(), spares.close()]);
      // Ends a bake, whose end `preparation` waits for.
      await machines.killOthers(processesOfSandboxes);
      await preparation;
      await sandboxes.release();
      if (quarantined.length > 0) return;
      if (sandboxes.list().some(({ state }) => state !== "hibernated")) return;
      await slots.closeStrays();
      await host.removeGroupsBut([]);
      await host.tearDownGroups();
      await host.tearDownNetwork();
    },
  };
}

/** The message of an error and of what caused it: the operator reads it in the status. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeFailure(error.cause)}`;
}
