import { importImage } from "../disks/import-image.ts";
import type { GoldenStore } from "../golden/create-golden-store.ts";
import { originOfGolden } from "../golden/golden-snapshot.ts";
import type { BootParts } from "../machines/boot-machine.ts";
import type { Machines } from "../machines/create-machines.ts";
import type { Sandboxes } from "../sandboxes/sandboxes.ts";
import type { SavedMachines } from "../saved-machines/create-saved-machines.ts";
import { newMachineShape } from "../vm/machine-shape.ts";
import { createMachinePool } from "../warm-pool/create-machine-pool.ts";
import { type AcceleratorSetting, chooseAccelerator } from "./choose-accelerator.ts";
import type { Readiness } from "./readiness.ts";

/** Memory of the golden machine: that of a default sandbox, which then needs none plugged. */
const baseMemoryMB = 1024;

export interface PreparationParts {
  readonly readiness: Readiness;
  readonly goldens: GoldenStore;
  readonly machines: Machines;
  readonly sandboxes: Pick<Sandboxes, "whenIdle" | "goldenFingerprints">;
  readonly checkpoints: Pick<SavedMachines, "list">;
  readonly boot: BootParts;
  readonly guestImageDirectory: string;
  readonly directories: { readonly golden: string; readonly images: string };
  readonly acceleratorSetting: AcceleratorSetting;
  /** Where the result of the KVM probe is kept. */
  readonly acceleratorPath: string;
  /** What the result of the KVM probe depends on. */
  readonly hostDescription: string;
  /** Features of the host's processor. */
  readonly processorFlags: ReadonlySet<string>;
  readonly warmPoolSize: number;
  /** False keeps every golden snapshot and image: records that cannot be read may need any of them. */
  readonly mayRemoveGoldens: boolean;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

/**
 * Makes what new sandboxes start from: the image, the accelerator, the golden
 * snapshot whose guests trust the certificate, and the pool of warm machines.
 * The worker is `ready` afterwards, unless it was closed meanwhile.
 */
export async function prepareWorker(
  parts: PreparationParts,
  certificatePem: string,
): Promise<void> {
  const { readiness, goldens, sandboxes, checkpoints, directories, log } = parts;
  const isClosed = () => readiness.state().name === "closed";
  const enterStage = (stage: string) => {
    readiness.enter({ name: "preparing", stage });
    log.info({ stage }, "Preparing for sandboxes");
  };

  const former = readiness.state();
  enterStage("copying the guest image");
  if (former.name === "ready") await former.pool.close();
  const image = await importImage(parts.guestImageDirectory, directories.images, log);
  enterStage("testing whether KVM works");
  const accelerator = await chooseAccelerator(parts.boot, {
    setting: parts.acceleratorSetting,
    host: parts.hostDescription,
    processorFlags: parts.processorFlags,
    image,
    goldenDirectory: directories.golden,
    resultPath: parts.acceleratorPath,
    log,
  });
  readiness.setAccelerator(accelerator);
  const shape = newMachineShape(accelerator, baseMemoryMB, parts.processorFlags);
  const golden = await goldens.ensure({ image, shape, certificatePem }, enterStage);
  if (isClosed()) return;
  await sandboxes.whenIdle();
  if (parts.mayRemoveGoldens) {
    const ofCheckpoints = checkpoints.list().map(({ disk }) => disk.goldenFingerprint);
    await goldens.removeOthers(
      new Set([golden.fingerprint, ...sandboxes.goldenFingerprints(), ...ofCheckpoints]),
    );
  }
  if (isClosed()) return;
  const pool = createMachinePool({
    machines: parts.machines,
    origin: () => originOfGolden(golden, shape),
    size: parts.warmPoolSize,
    onFailure: (error) => log.error({ err: error }, "A warm machine could not be made"),
    log,
  });
  readiness.enter({ name: "ready", pool, imageDiskMB: golden.diskMB });
  log.info({ accelerator, golden: golden.fingerprint }, "Ready for sandboxes");
}
