import type { Layers } from "../disks/create-layers.ts";
import type { Image } from "../disks/import-image.ts";
import type { BootParts } from "../machines/boot-machine.ts";
import type { MachineShape } from "../vm/machine-shape.ts";
import { bakeGolden } from "./bake-golden.ts";
import { goldenFingerprint } from "./golden-fingerprint.ts";
import { type GoldenSnapshot, isBakedFrom, listGoldens } from "./golden-snapshot.ts";
import { removeUnusedGoldens } from "./remove-unused-goldens.ts";

/** The golden snapshots in the data directory, and the images that they lie on. */
export interface GoldenStore {
  /**
   * Returns the snapshot of an image whose guests trust the certificate, and
   * bakes it when there is none. `onStage` reports the progress.
   */
  ensure(
    inputs: { image: Image; shape: MachineShape; certificatePem: string },
    onStage: (stage: string) => void,
  ): Promise<GoldenSnapshot>;
  /** Removes the snapshots that are not kept, and the images that none of the kept lies on. */
  removeOthers(kept: ReadonlySet<string>): Promise<void>;
}

export function createGoldenStore(deps: {
  boot: BootParts;
  makeEmptyLayer: Layers["makeEmpty"];
  fingerprintOf: (shape: MachineShape) => string;
  directories: { golden: string; images: string };
  log: { error(details: object, message: string): void };
}): GoldenStore {
  const { boot, makeEmptyLayer, directories, log } = deps;

  return {
    async ensure({ image, shape, certificatePem }, onStage) {
      const machineFingerprint = deps.fingerprintOf(shape);
      const inputsFingerprint = goldenFingerprint({
        imageFingerprint: image.fingerprint,
        certificatePem,
        machineFingerprint,
      });
      const { snapshots, unreadable } = await listGoldens(directories.golden);
      for (const { name, error } of unreadable) {
        log.error(
          { golden: name, err: error },
          "A golden snapshot cannot be read; it is left as it is",
        );
      }
      const present = snapshots.find((each) => isBakedFrom(each, inputsFingerprint));
      if (present !== undefined) return present;
      return bakeGolden(boot, {
        goldenDirectory: directories.golden,
        inputsFingerprint,
        image,
        shape,
        certificatePem,
        machineFingerprint,
        makeEmptyLayer,
        onStage,
      });
    },

    removeOthers: (kept) => removeUnusedGoldens(directories, kept),
  };
}
