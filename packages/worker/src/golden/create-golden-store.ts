import { readdir, rm } from "node:fs/promises";
import { release as kernelRelease } from "node:os";
import { join } from "node:path";
import { chooseAccelerator } from "../accelerator/choose-accelerator.ts";
import type { Layers } from "../disks/create-layers.ts";
import { importImage } from "../images/import-image.ts";
import type { BootMachine } from "../machines/boot-machine.ts";
import type { Accelerator, MachineShape } from "../vm/qemu-arguments.ts";
import { bakeGolden } from "./bake-golden.ts";
import { goldenFingerprint } from "./golden-fingerprint.ts";
import { type GoldenSnapshot, openGolden } from "./golden-snapshot.ts";

/** The golden snapshots in the data directory, and the images that they stand on. */
export interface GoldenStore {
  /**
   * The snapshot of the built guest image whose guests trust the certificate;
   * baked when it is not there. `onStage` tells people what goes on.
   */
  ensure(
    certificatePem: string,
    onStage: (stage: string) => void,
  ): Promise<{ golden: GoldenSnapshot; accelerator: Accelerator }>;
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
}): GoldenStore {
  const { hypervisorVersion, processor, bootMachine, directories } = options;

  return {
    async ensure(certificatePem, onStage) {
      onStage("copying the guest image");
      const image = await importImage(options.guestImageDirectory, directories.images);
      onStage("finding out whether KVM works");
      const accelerator = await chooseAccelerator({
        setting: options.setting,
        host: `${hypervisorVersion}, Linux ${kernelRelease()}, ${processor}`,
        image,
        bootMachine,
        workDirectory: join(directories.golden, "accelerator-probe"),
        answerPath: options.acceleratorPath,
      });
      const shape = { accelerator, baseMemoryMB };
      const machineFingerprint = options.fingerprintOf(shape);
      const fingerprint = goldenFingerprint({
        imageFingerprint: image.fingerprint,
        certificatePem,
        machineFingerprint,
      });
      const golden =
        (await openGolden(directories.golden, fingerprint)) ??
        (await bakeGolden({
          goldenDirectory: directories.golden,
          fingerprint,
          image,
          shape,
          certificatePem,
          machineFingerprint,
          bootMachine,
          makeEmptyLayer: options.makeEmptyLayer,
          onStage,
        }));
      return { golden, accelerator };
    },

    async removeOthers(kept) {
      const keptImages = new Set<string>();
      for (const fingerprint of kept) {
        const golden = await openGolden(directories.golden, fingerprint);
        if (golden !== undefined) keptImages.add(golden.imageFingerprint);
      }
      await removeAllBut(directories.golden, kept);
      await removeAllBut(directories.images, keptImages);
    },
  };
}

async function removeAllBut(directory: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}
