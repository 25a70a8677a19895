import { chmod, link, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { inPlace } from "../confinement/confinement.ts";
import type { Disk, Layers } from "../disks/create-layers.ts";
import type { Image } from "../images/import-image.ts";
import { hasCode } from "../process/process-identity.ts";
import type { DiskFiles } from "../vm/qemu-confinement.ts";

/**
 * The layers of each machine's disk as its process finds them: a directory of
 * hard links that stands in the place of the directory of all layers. A link
 * that is added shows in the process at once.
 */
export interface MachineFiles {
  /** Makes the links of a machine those to these layers, and no others. */
  show(machineId: string, layerIds: readonly string[]): Promise<void>;
  /**
   * Where the machine's process finds its disk. Of the layers it may write to
   * the newest: the others belong to other machines too, and to saved ones. They
   * are read-only whoever owns them, and whatever their headers name.
   */
  diskFiles(machineId: string, disk: Disk, image: Pick<Image, "diskPath">): DiskFiles;
}

export function createMachineFiles(deps: {
  layers: Pick<Layers, "directory" | "pathOf" | "basePathOf">;
  directoryOf: (machineId: string) => string;
}): MachineFiles {
  const { layers } = deps;
  const linksOf = (machineId: string) => join(deps.directoryOf(machineId), "disk");

  return {
    async show(machineId, layerIds) {
      const directory = linksOf(machineId);
      await makeTraversable(directory);
      const shown = new Set(await readdir(directory));
      const wanted = new Map(layerIds.map((id) => [basename(layers.pathOf(id)), id]));
      for (const [name, id] of wanted) {
        if (!shown.has(name)) await link(layers.pathOf(id), join(directory, name));
      }
      for (const name of shown) if (!wanted.has(name)) await rm(join(directory, name));
    },
    diskFiles: (machineId, disk, image) => ({
      mounts: [
        { source: linksOf(machineId), target: layers.directory, access: "write" },
        ...disk.layers.slice(1).map((layerId) => inPlace(layers.pathOf(layerId), "read")),
        inPlace(join(layers.directory, layers.basePathOf(disk)), "read"),
        inPlace(image.diskPath, "read"),
      ],
      directory: layers.directory,
    }),
  };
}

/** A directory in which a machine's user opens what is its own; it cannot list it. */
export async function makeTraversable(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    throw error;
  }
  await chmod(directory, 0o711);
}
