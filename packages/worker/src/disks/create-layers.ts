import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { syncPath } from "../files/durable-files.ts";
import { hasCode } from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";

/** Names a layer: 16 hexadecimal digits. */
export const layerIdSchema = z.string().regex(/^[0-9a-f]{16}$/);

/**
 * A disk, the newest layer first, on the disk of a golden snapshot. Only the
 * first layer of a running machine's disk is written to.
 */
export const diskSchema = z.object({
  goldenFingerprint: z.string().regex(/^[0-9a-f]{32}$/),
  layers: z.array(layerIdSchema),
  sizeMB: z.int().min(1),
});
export type Disk = z.infer<typeof diskSchema>;

const layersMax = 8;

/** Whether it has so many layers that it should be flattened. */
export function isDeep({ layers }: Disk): boolean {
  return layers.length > layersMax;
}

/**
 * The layers of all disks, in one directory. A layer never moves: it is shared
 * once another one lies over it, and is removed when it has no owner any more.
 */
export interface Layers {
  readonly directory: string;
  pathOf(layerId: string): string;
  /** What all layers of a disk lie on, relative to `directory`. */
  basePathOf(disk: Disk): string;
  /** Sets the layers that an owner needs; those that it no longer needs and no other owner does are removed. */
  hold(owner: string, layerIds: readonly string[]): Promise<void>;
  /** An empty layer over a disk, as a file; its copies are layers. */
  makeEmpty(path: string, disk: Disk): Promise<void>;
  /**
   * A new layer over a disk, which `owner` holds beside what it holds already:
   * a copy of an empty one, which is made if it does not exist.
   */
  add(owner: string, emptyLayerPath: string, disk: Disk): Promise<string>;
  /**
   * A new layer, held by `owner`, that alone has what all layers of the disk
   * together have. It cannot be used when the disk was written to meanwhile.
   * Code that broke out of a guest may have written the headers of its layer:
   * they are read where there are no other files of the host.
   */
  flatten(owner: string, disk: Disk): Promise<string>;
  /** Returns when all that was written to the layers would survive a loss of power. */
  sync(layerIds: readonly string[]): Promise<void>;
  /** Size of layers on the disk, without those that one of the other owners needs too. */
  bytesOf(layerIds: readonly string[], isOther: (owner: string) => boolean): Promise<number>;
  /** Removes the layers without an owner; a file with another kind of name stays. */
  removeOrphans(): Promise<void>;
}

const extension = ".qcow2";
const blockBytes = 512;

export function layerFileName(layerId: string): string {
  return `${layerId}${extension}`;
}

/** What all layers of a disk lie on, relative to the directory of the layers. */
export function basePathOf({ goldenFingerprint }: Pick<Disk, "goldenFingerprint">): string {
  return `../../golden/${goldenFingerprint}/disk.qcow2`;
}

/** `rebase` makes a layer, a copy of the disk's newest one, alone have what all layers of the disk have. */
export async function createLayers(
  directory: string,
  deps: { rebase: (layerId: string, disk: Disk) => Promise<unknown> },
): Promise<Layers> {
  // A machine's user opens its own files there, and cannot list the directory.
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o711);
  const held = new Map<string, readonly string[]>();
  const pathOf = (layerId: string) => join(directory, layerFileName(layerId));

  function isHeld(layerId: string, by: (owner: string) => boolean = () => true): boolean {
    for (const [owner, layerIds] of held) {
      if (by(owner) && layerIds.includes(layerId)) return true;
    }
    return false;
  }

  async function hold(owner: string, layerIds: readonly string[]): Promise<void> {
    const before = held.get(owner) ?? [];
    if (layerIds.length === 0) held.delete(owner);
    else held.set(owner, [...layerIds]);
    const free = before.filter((layerId) => !isHeld(layerId));
    await Promise.all(free.map((layerId) => rm(pathOf(layerId), { force: true })));
  }

  /** Makes a layer, which is held before it exists so that no sweep removes it, and released when it cannot be filled. */
  async function newLayer(owner: string, fill: (path: string) => Promise<void>): Promise<string> {
    const layerId = randomBytes(8).toString("hex");
    held.set(owner, [layerId, ...(held.get(owner) ?? [])]);
    try {
      await fill(pathOf(layerId));
      await syncPath(pathOf(layerId));
      await syncPath(directory);
      return layerId;
    } catch (error) {
      const others = (held.get(owner) ?? []).filter((other) => other !== layerId);
      await hold(owner, others);
      throw error;
    }
  }

  async function makeEmpty(path: string, disk: Disk): Promise<void> {
    const {
      layers: [newest],
      sizeMB,
    } = disk;
    await runProgram("qemu-img", [
      ...["create", "-q", "-u", "-f", "qcow2", "-F", "qcow2"],
      ...["-b", newest === undefined ? basePathOf(disk) : `${newest}${extension}`],
      ...[path, `${sizeMB}M`],
    ]);
  }

  return {
    directory,
    pathOf,
    basePathOf,
    hold,
    makeEmpty,
    add: (owner, emptyLayerPath, disk) =>
      newLayer(owner, async (path) => {
        try {
          await copyFile(emptyLayerPath, path);
        } catch (error) {
          if (!hasCode(error, "ENOENT")) throw error;
          await makeEmpty(path, disk);
        }
      }),
    async flatten(owner, disk) {
      const [newest] = disk.layers;
      if (newest === undefined) throw new Error("A disk without layers is flat");
      return newLayer(owner, async (path) => {
        // A copy takes no lock: a machine may be made of the disk meanwhile, and open it to write.
        await copyFile(pathOf(newest), path);
        await deps.rebase(basename(path, extension), disk);
      });
    },
    async sync(layerIds) {
      await Promise.all(layerIds.map((layerId) => syncPath(pathOf(layerId))));
    },
    async bytesOf(layerIds, isOther) {
      const own = layerIds.filter((layerId) => !isHeld(layerId, isOther));
      const sizes = await Promise.all(
        own.map(async (layerId) => (await stat(pathOf(layerId))).blocks * blockBytes),
      );
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    async removeOrphans() {
      for (const name of await readdir(directory)) {
        const layerId = name.slice(0, -extension.length);
        const isLayer = name.endsWith(extension) && layerIdSchema.safeParse(layerId).success;
        if (isLayer && !isHeld(layerId)) await rm(join(directory, name), { force: true });
      }
    },
  };
}
