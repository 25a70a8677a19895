import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import { chooseAccelerator } from "../accelerator/choose-accelerator.ts";
import type { Layers } from "../disks/create-layers.ts";
import { importImage } from "../images/import-image.ts";
import type { BootMachine } from "../machines/boot-machine.ts";
import { type MachineShape, newMachineShape } from "../vm/machine-shape.ts";
import { bakeGolden } from "./bake-golden.ts";
import { goldenFingerprint } from "./golden-fingerprint.ts";
import { type GoldenSnapshot, isBakedFrom, listGoldens } from "./golden-snapshot.ts";
import { removeUnusedGoldens } from "./remove-unused-goldens.ts";

/** The golden snapshots in the data directory, and the images that they stand on. */
export interface GoldenStore {
  /**
   * The snapshot of the built guest image whose guests trust the certificate;
   * baked when it is not there. `onStage` tells people what goes on.
   */
  ensure(
    certificatePem: string,
    onStage: (stage: string) => void,
  ): Promise<{ golden: GoldenSnapshot; shape: MachineShape }>;
  /** Removes the snapshots that are not kept, and the images that none of the kept stands on. */
  removeOthers(kept: ReadonlySet<string>): Promise<void>;
}

/** Memory of the golden machine: that of a default sandbox, which then needs none plugged. */
const baseMemoryMB = 1024;

export function createGoldenStore(options: {
  hypervisorVersion: string;
  processor: string;
  bootMachine: BootMachine;
  setting: "auto" | "kvm" | "tcg";
  guestImageDirectory: string;
  makeEmptyLayer: Layers["makeEmpty"];
  fingerprintOf: (shape: MachineShape) => string;
  directories: { golden: string; images: string };
  /** Where the answer to whether KVM works is kept. */
  acceleratorPath: string;
  log: { error(details: object, message: string): void };
}): GoldenStore {
  const { hypervisorVersion, processor, bootMachine, directories, log } = options;

  return {
    async ensure(certificatePem, onStage) {
      onStage("copying the guest image");
      const image = await importImage(options.guestImageDirectory, directories.images, log);
      onStage("finding out whether KVM works");
      const accelerator = await chooseAccelerator({
        setting: options.setting,
        host: `${hypervisorVersion}, Linux ${kernelRelease()}, ${processor}`,
        image,
        bootMachine,
        workDirectory: join(directories.golden, "accelerator-probe"),
        answerPath: options.acceleratorPath,
        log,
      });
      const shape = newMachineShape(accelerator, baseMemoryMB);
      const machineFingerprint = options.fingerprintOf(shape);
      const inputsFingerprint = goldenFingerprint({
        imageFingerprint: image.fingerprint,
        certificatePem,
        machineFingerprint,
      });
      const { snapshots, unreadable } = await listGoldens(directories.golden);
      for (const { name, error } of unreadable) {
        log.error({ golden: name, err: error }, "A golden snapshot cannot be read; it stays");
      }
      const golden =
        snapshots.find((each) => isBakedFrom(each, inputsFingerprint)) ??
        (await bakeGolden({
          goldenDirectory: directories.golden,
          inputsFingerprint,
          image,
          shape,
          certificatePem,
          machineFingerprint,
          bootMachine,
          makeEmptyLayer: options.makeEmptyLayer,
          onStage,
        }));
      return { golden, shape };
    },

    removeOthers: (kept) => removeUnusedGoldens(directories, kept),
  };
}
