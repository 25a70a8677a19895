import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import { isDeep, type Layers } from "../disks/create-layers.ts";
import {
  asStorageError,
  renameDurably,
  syncDirectoryFiles,
  syncPath,
} from "../files/durable-files.ts";
import { readRecord, writeRecord } from "../files/record-kind.ts";
import {
  emptyLayerPath,
  type SavedMachine,
  type SavedManifest,
  savedManifestKind,
  savedPaths,
} from "./saved-manifest.ts";

/** Saved machines in one directory, each in a directory of its id. */
export interface SavedMachines {
  get(id: string): SavedMachine | undefined;
  list(): SavedMachine[];
  /**
   * Makes one completely or not at all: `fill` writes into an empty directory.
   * What was made survives a loss of power once this returns.
   *
   * @throws {WireError} `host_storage_full`
   */
  make(
    id: string,
    fill: (directory: string) => Promise<Omit<SavedManifest, "sizeBytes">>,
  ): Promise<SavedMachine>;
  /** Replaces the request of the sandbox that is saved. One that was removed stays removed. */
  setSandbox(id: string, sandbox: PrepareSandboxRequest): Promise<void>;
  /** Machines that were made of it keep running. One that was removed already is no error. */
  remove(id: string): Promise<void>;
  /**
   * Adopts what an earlier worker saved, and removes what it did not finish.
   * What cannot be read stays as it is.
   *
   * @returns the directories of what stays.
   */
  adopt(): Promise<string[]>;
  /** Flattens the disks that have become deep, one after the other. Never rejects. */
  flattenDeep(): Promise<void>;
}

const blockBytes = 512;
const ownerPrefix = "saved ";
const unfinished = ".new";
const removed = ".old";

export function createSavedMachines(deps: {
  directory: string;
  layers: Layers;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): SavedMachines {
  const { directory, layers, log } = deps;
  const index = new Map<string, SavedMachine>();
  const making = new Set<string>();
  /** A saved machine changes on the disk and in the index together. */
  const changes = pLimit(1);
  const flattenings = pLimit(1);
  const directoryOf = (id: string) => join(directory, id);
  const ownerOf = (id: string) => `${ownerPrefix}${id}`;

  async function sizeOf(
    id: string,
    filled: string,
    manifest: Pick<SavedManifest, "kind" | "disk">,
  ) {
    const { memoryPath, statePath } = savedPaths(filled);
    const paths = manifest.kind === "full" ? [memoryPath, statePath] : [];
    const files = await Promise.all(paths.map((path) => stat(path)));
    const bytes = files.reduce((sum, { blocks }) => sum + blocks * blockBytes, 0);
    // Its size is what would be free without it and without running machines, which come and go.
    const isOther = (owner: string) => owner.startsWith(ownerPrefix) && owner !== ownerOf(id);
    return bytes + (await layers.bytesOf(manifest.disk.layers, isOther));
  }

  async function flatten(saved: SavedMachine): Promise<void> {
    const owner = ownerOf(saved.id);
    try {
      const layerId = await layers.flatten(owner, saved.disk);
      const flat = { ...saved.disk, layers: [layerId] };
      await changes(async () => {
        const current = index.get(saved.id);
        if (current === undefined || current.disk !== saved.disk) return;
        const emptyPath = emptyLayerPath(saved.directory, flat.layers);
        await layers.makeEmpty(emptyPath, flat);
        await syncPath(emptyPath);
        const manifest = { ...current, disk: flat };
        await writeRecord(savedPaths(saved.directory).manifestPath, savedManifestKind, manifest);
        index.set(saved.id, { ...current, disk: flat });
      });
    } finally {
      // Releases the form that is not needed; both forms, when it was removed meanwhile.
      await changes(async () => {
        if (!making.has(saved.id)) await layers.hold(owner, index.get(saved.id)?.disk.layers ?? []);
      });
    }
  }

  return {
    get: (id) => index.get(id),
    list: () => [...index.values()],

    async make(id, fill) {
      const temporary = `${directoryOf(id)}${unfinished}`;
      if (making.has(id) || index.has(id)) {
        throw new WireError("name_in_use", `A machine is already saved as ${id}`);
      }
      making.add(id);
      try {
        await rm(temporary, { recursive: true, force: true });
        await mkdir(temporary, { recursive: true });
        const filled = await fill(temporary);
        await layers.hold(ownerOf(id), filled.disk.layers);
        await layers.sync(filled.disk.layers);
        const sizeBytes = await sizeOf(id, temporary, filled);
        const manifest: SavedManifest = { ...filled, sizeBytes };
        await writeRecord(savedPaths(temporary).manifestPath, savedManifestKind, manifest);
        await syncDirectoryFiles(temporary);
        await renameDurably(temporary, directoryOf(id));
        const saved = { id, directory: directoryOf(id), ...manifest };
        index.set(id, saved);
        return saved;
      } catch (error) {
        await rm(temporary, { recursive: true, force: true });
        await layers.hold(ownerOf(id), []);
        throw asStorageError(error);
      } finally {
        making.delete(id);
      }
    },

    setSandbox: (id, sandbox) =>
      changes(async () => {
        const saved = index.get(id);
        if (saved === undefined) return;
        const { manifestPath } = savedPaths(saved.directory);
        await writeRecord(manifestPath, savedManifestKind, { ...saved, sandbox });
        index.set(id, { ...saved, sandbox });
      }),

    async remove(id) {
      const trash = `${directoryOf(id)}${removed}`;
      await changes(async () => {
        if (!index.has(id)) return;
        // An earlier removal may have failed before its end.
        await rm(trash, { recursive: true, force: true });
        // Under another name it is never adopted as a saved machine again: before its layers
        // are removed, and before what took its place runs.
        await renameDurably(directoryOf(id), trash);
        index.delete(id);
        await layers.hold(ownerOf(id), []);
      });
      await rm(trash, { recursive: true, force: true });
    },

    async adopt() {
      await mkdir(directory, { recursive: true });
      const unreadable: string[] = [];
      for (const name of await readdir(directory)) {
        const found = join(directory, name);
        if (name.endsWith(unfinished) || name.endsWith(removed)) {
          await rm(found, { recursive: true, force: true });
          continue;
        }
        try {
          const manifest = await readManifest(found);
          index.set(name, { id: name, directory: found, ...manifest });
          await layers.hold(ownerOf(name), manifest.disk.layers);
        } catch (error) {
          log.error(
            { directory: found, err: error },
            "A saved machine cannot be read; it is left as it is",
          );
          unreadable.push(found);
        }
      }
      return unreadable;
    },

    flattenDeep: () =>
      flattenings(async () => {
        for (const saved of [...index.values()]) {
          if (!isDeep(saved.disk) || index.get(saved.id) !== saved) continue;
          try {
            await flatten(saved);
          } catch (error) {
            log.warn({ saved: saved.id, err: error }, "A deep disk could not be flattened");
          }
        }
      }),
  };
}

async function readManifest(directory: string): Promise<SavedManifest> {
  const { manifestPath } = savedPaths(directory);
  const manifest = await readRecord(manifestPath, savedManifestKind);
  if (manifest === undefined) throw new Error(`${manifestPath} is missing`);
  return manifest;
}
