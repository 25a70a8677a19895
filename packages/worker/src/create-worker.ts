import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { availableParallelism, cpus, release as kernelRelease, totalmem } from "node:os";
import { join } from "node:path";
import {
  limits,
  type PrepareSandboxRequest,
  WireError,
  type WorkerStatus,
} from "@opencomputer/protocol";
import type { Logger } from "pino";
import { chooseAccelerator } from "./accelerator/choose-accelerator.ts";
import { createCgroups } from "./cgroups/create-cgroups.ts";
import { bakeGolden } from "./golden/bake-golden.ts";
import { goldenFingerprint } from "./golden/golden-fingerprint.ts";
import { type GoldenSnapshot, openGolden } from "./golden/golden-snapshot.ts";
import { createByteBudget } from "./guest/byte-budget.ts";
import { type Image, importImage } from "./images/import-image.ts";
import { createBootMachine } from "./machines/boot-machine.ts";
import { createMachines, type Machine } from "./machines/create-machines.ts";
import { warmMachine } from "./machines/warm-machine.ts";
import { createHostNetwork } from "./network/create-host-network.ts";
import { createSlots } from "./network/create-slots.ts";
import type { NetworkBlock } from "./network/network-block.ts";
import { createLimiter } from "./pool/create-limiter.ts";
import { createPool, type Pool } from "./pool/create-pool.ts";
import { createSandboxes, type Sandboxes } from "./sandboxes/create-sandboxes.ts";
import { createQemu } from "./vm/create-qemu.ts";
import { type Accelerator, machineArguments } from "./vm/qemu-arguments.ts";

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
  status(): WorkerStatus;
  /** Makes every later sandbox trust the certificate. Returns at once; `status` tells the progress. */
  trust(certificatePem: string): void;
  /** Tells that a request is being served, so that refilling the pool waits. */
  noteActivity(): void;
  /** Discards the pool and lets go of the sandboxes, which run on; without any, nothing stays on the host. */
  close(): Promise<void>;
}

/** Memory of the golden machine: that of a default sandbox, which then needs none plugged. */
const baseMemoryMB = 1024;
const refillQuietMilliseconds = 400;
const refillPatienceMilliseconds = 5_000;
const logTrimIntervalMilliseconds = 60_000;

/** Takes over what an earlier worker left, and gets ready for sandboxes in the background. */
export async function createWorker(options: WorkerOptions, log: Logger): Promise<Worker> {
  const { installationId, networkBlock, dataDirectory, runtimeDirectory } = options;
  const directories = {
    machines: join(dataDirectory, "worker/machines"),
    golden: join(dataDirectory, "golden"),
    images: join(dataDirectory, "images"),
    sockets: join(runtimeDirectory, "machines"),
  };
  for (const directory of Object.values(directories)) await mkdir(directory, { recursive: true });
  // A machine's user connects to a socket there that is its own; it cannot list the directory.
  for (const directory of [runtimeDirectory, directories.sockets]) await chmod(directory, 0o711);

  const hypervisor = createQemu();
  const budget = createByteBudget(limits.agentAnswersBytesTotalMax);
  const slots = createSlots(installationId, networkBlock);
  const hostNetwork = createHostNetwork({
    installationId,
    block: networkBlock,
    markerPath: join(runtimeDirectory, "forwarding-was-off"),
  });
  const cgroups = await createCgroups({
    installationId,
    onUnavailable: (reason) =>
      log.warn({ err: reason }, "Machines run without CPU and memory limits of the host"),
  });
  const machineNamePrefix = `opencomputer-${installationId}-`;
  const machines = createMachines({
    hypervisor,
    slots,
    cgroups,
    budget,
    machineNamePrefix,
    directories,
    log,
  });
  const bootMachine = createBootMachine({
    hypervisor,
    slots,
    budget,
    machineNamePrefix,
    socketDirectory: directories.sockets,
  });
  const restoring = createLimiter(Math.max(2, availableParallelism()));

  const instanceId = randomUUID();
  let stage = "starting";
  let failure: string | null = null;
  let accelerator: Accelerator | null = null;
  let golden: GoldenSnapshot | undefined;
  let pool: Pool<Machine> | undefined;
  let trusted: string | undefined;
  let closed = false;
  // Changes of trust come one after the other; the last one holds.
  let preparation: Promise<void> = Promise.resolve();

  async function makePooledMachine(snapshot: GoldenSnapshot): Promise<Machine> {
    const machine = await restorePaused(snapshot, warmMachine);
    machine.vm?.onEnd(() => {
      if (!closed && pool?.remove(machine) === true) {
        log.warn({ machineId: machine.id }, "A machine ended while it waited in the pool");
        machines
          .discard(machine)
          .catch((error: unknown) => log.error({ err: error }, "It could not be removed"));
      }
    });
    return machine;
  }

  async function restorePaused(
    snapshot: GoldenSnapshot,
    warm?: (machine: Machine) => Promise<void>,
  ): Promise<Machine> {
    if (accelerator === null) throw notReady();
    const machine = await machines.restore(snapshot, accelerator);
    try {
      const isBackground = warm !== undefined;
      await machines.limit(machine, { cpuCount: 1, memoryMB: baseMemoryMB }, isBackground);
      await warm?.(machine);
      return machine;
    } catch (error) {
      await machines.discard(machine);
      throw error;
    }
  }

  const sandboxes = createSandboxes({
    machines,
    slots,
    log,
    async takeMachine() {
      if (golden === undefined || pool === undefined) throw notReady();
      const snapshot = golden;
      const machine = pool.take() ?? (await restoring(() => restorePaused(snapshot)));
      return { machine, golden: snapshot };
    },
    async openGolden(fingerprint) {
      const snapshot = await openGolden(directories.golden, fingerprint);
      if (snapshot !== undefined) return snapshot;
      throw new Error(`The golden snapshot ${fingerprint} is gone`);
    },
    checkSize(spec) {
      checkSize(spec, golden?.diskMB ?? limits.diskMBMin);
    },
  });

  function notReady(): WireError {
    return new WireError(
      "worker_unavailable",
      failure === null
        ? `The worker is not ready yet: ${stage}`
        : `The worker cannot take sandboxes: ${failure}`,
    );
  }

  const host = `${await hypervisor.version()}, Linux ${kernelRelease()}, ${cpus()[0]?.model ?? ""}`;
  const hypervisorVersion = await hypervisor.version();

  async function chooseAcceleratorFor(image: Image): Promise<Accelerator> {
    stage = "finding out whether KVM works";
    return chooseAccelerator({
      setting: options.accelerator,
      host,
      image,
      bootMachine,
      workDirectory: join(directories.golden, "accelerator-probe"),
      answerPath: join(dataDirectory, "worker/accelerator.json"),
    });
  }

  async function prepareFor(certificatePem: string): Promise<void> {
    const previousPool = pool;
    pool = undefined;
    golden = undefined;
    failure = null;
    await previousPool?.close();
    stage = "copying the guest image";
    const image = await importImage(options.guestImageDirectory, directories.images);
    accelerator ??= await chooseAcceleratorFor(image);
    const shape = { accelerator, baseMemoryMB };
    const fingerprint = goldenFingerprint({
      imageFingerprint: image.fingerprint,
      certificatePem,
      shape,
      hypervisorVersion,
      processor: cpus()[0]?.model ?? "",
      machineArguments: machineArguments(shape),
    });
    const snapshot =
      (await openGolden(directories.golden, fingerprint)) ??
      (await bakeGolden({
        goldenDirectory: directories.golden,
        fingerprint,
        image,
        shape,
        certificatePem,
        bootMachine,
        onStage: (text) => {
          stage = text;
          log.info({ stage }, "Baking the golden snapshot");
        },
      }));
    await removeUnused(snapshot);
    if (closed) return;
    golden = snapshot;
    pool = createPool({
      size: options.warmPoolSize,
      make: () => restoring(() => makePooledMachine(snapshot)),
      discard: (machine) => machines.discard(machine),
      quietMilliseconds: refillQuietMilliseconds,
      patienceMilliseconds: refillPatienceMilliseconds,
      onFailure: (error) => {
        if (!closed) log.error({ err: error }, "A machine for the pool could not be made");
      },
    });
    stage = "ready";
    log.info({ accelerator, golden: fingerprint }, "Ready for sandboxes");
  }

  /** Snapshots and images that neither a sandbox nor the current snapshot needs. */
  async function removeUnused(current: GoldenSnapshot): Promise<void> {
    const kept = new Set([current.fingerprint, ...sandboxes.goldenFingerprints()]);
    const keptImages = new Set([current.imageFingerprint]);
    for (const fingerprint of kept) {
      const snapshot = await openGolden(directories.golden, fingerprint);
      if (snapshot !== undefined) keptImages.add(snapshot.imageFingerprint);
    }
    await removeOthers(directories.golden, kept);
    await removeOthers(directories.images, keptImages);
  }

  const adopted = await machines.adopt();
  await hostNetwork.setUp();
  sandboxes.adopt(adopted);
  stage = "waiting for the control plane's certificate";

  const trimming = setInterval(() => {
    sandboxes
      .trimLogs()
      .catch((error: unknown) => log.warn({ err: error }, "A machine's log could not be trimmed"));
  }, logTrimIntervalMilliseconds);
  trimming.unref();

  return {
    sandboxes,
    status: () => ({
      instanceId,
      ready: golden !== undefined && pool !== undefined,
      stage,
      failure,
      accelerator,
      cpuCountMax: Math.min(limits.cpuCountMax, availableParallelism()),
      memoryMBMax: Math.min(limits.memoryMBMax, hostMemoryMB()),
      sandboxCount: sandboxes.list().length,
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
    },
    async close() {
      closed = true;
      clearInterval(trimming);
      const processesOfSandboxes = await sandboxes.settle();
      // Ends a bake, whose end `preparation` waits for, and the pool's machines.
      await hypervisor.killStrays(machineNamePrefix, processesOfSandboxes);
      await preparation;
      await pool?.close();
      await sandboxes.release();
      if (sandboxes.list().length > 0) return;
      await slots.closeStrays();
      await cgroups.removeStrays(new Set());
      await cgroups.tearDown();
      await hostNetwork.tearDown();
    },
  };
}

function checkSize(spec: PrepareSandboxRequest, diskMBMin: number): void {
  const cpuCountMax = Math.min(limits.cpuCountMax, availableParallelism());
  if (spec.cpuCount > cpuCountMax) {
    throw unsupported("cpuCount", `at most ${cpuCountMax} on this host`, spec.cpuCount);
  }
  const memoryMBMax = Math.min(limits.memoryMBMax, hostMemoryMB());
  if (spec.memoryMB > memoryMBMax) {
    throw unsupported("memoryMB", `at most ${memoryMBMax} on this host`, spec.memoryMB);
  }
  if (spec.diskMB !== null && spec.diskMB < diskMBMin) {
    throw unsupported("diskMB", `at least ${diskMBMin}, the base image's disk`, spec.diskMB);
  }
}

function unsupported(option: string, expectation: string, found: number): WireError {
  return new WireError("unsupported_option", `${option} must be ${expectation}, got ${found}`);
}

function hostMemoryMB(): number {
  return Math.floor(totalmem() / (1024 * 1024));
}

/** The message of an error and of what caused it: the operator reads it in the status. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeFailure(error.cause)}`;
}

async function removeOthers(directory: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}
