import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { createLayers, type Disk } from "../disks/create-layers.ts";
import { importImage, openImage } from "../disks/import-image.ts";
import { rebaseLayer } from "../disks/rebase-layer.ts";
import { runProgram } from "../process/run-program.ts";
import { createSavedMachines } from "../saved-machines/create-saved-machines.ts";
import { type SavedManifest, savedPaths } from "../saved-machines/saved-manifest.ts";
import { mountVolatileDisk, type VolatileDisk } from "../testing/volatile-disk.ts";
import { syncDirectoryFiles } from "./durable-files.ts";
import { readJsonFile, writeJsonFile } from "./write-json-file.ts";

const schema = z.object({ count: z.int() });
const goldenFingerprint = "0".repeat(32);
const log = { warn: () => undefined, error: () => undefined };

/** After each function the power fails, and what the function guarantees is read back. */
describe("a loss of power", () => {
  let directory: string;
  let disk: VolatileDisk;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "power-loss-"));
    disk = await mountVolatileDisk(directory, 64 * 1024 * 1024);
  });
  afterEach(async () => {
    await disk.close();
    await rm(directory, { recursive: true });
  });
  async function losePower(): Promise<void> {
    await disk.cutPower();
    await disk.restorePower();
  }

  test("loses what was not synced: content, names and renames", async () => {
    await writeFile(join(directory, "synced"), "before");
    await syncDirectoryFiles(directory);
    await writeFile(join(directory, "synced"), "after, and longer than the content before");
    await writeFile(join(directory, "new"), "new");
    await losePower();
    assert.deepEqual(await readdir(directory), ["lost+found", "synced"]);
    const left = await readFile(join(directory, "synced"), "utf8");
    assert.ok(!left.includes("after"), left);
  });

  test("writeJsonFile: a new file and one that replaces another survive", async () => {
    const path = join(directory, "a.json");
    await writeJsonFile(path, { count: 1 });
    await losePower();
    assert.deepEqual(await readJsonFile(path, schema), { count: 1 });
    await writeJsonFile(path, { count: 2 });
    await losePower();
    assert.deepEqual(await readJsonFile(path, schema), { count: 2 });
  });

  async function openLayers() {
    await mkdir(join(directory, "worker"), { recursive: true });
    const rebase = (layerId: string, disk: Disk) =>
      rebaseLayer({
        directories: {
          layers: join(directory, "worker/layers"),
          golden: join(directory, "golden"),
          images: join(directory, "images"),
        },
        user: { userId: 0, groupId: 0, otherGroupIds: [] },
        ...{ layerId, disk },
      });
    return createLayers(join(directory, "worker/layers"), { rebase });
  }

  test("layers.add: the layer survives with its content", async () => {
    const layers = await openLayers();
    await syncDirectoryFiles(join(directory, "worker"));
    await syncDirectoryFiles(directory);
    const empty = join(directory, "empty");
    await layers.makeEmpty(empty, { goldenFingerprint, layers: [], sizeMB: 16 });
    const id = await layers.add("a", empty, { goldenFingerprint, layers: [], sizeMB: 16 });
    await losePower();
    const info = await runProgram("qemu-img", ["info", "--output=json", layers.pathOf(id)]);
    assert.match(info, /"format": "qcow2"/);
  });

  test("layers.sync: what was written to a layer survives", async () => {
    const layers = await openLayers();
    const empty = join(directory, "empty");
    await layers.makeEmpty(empty, { goldenFingerprint, layers: [], sizeMB: 16 });
    const id = await layers.add("a", empty, { goldenFingerprint, layers: [], sizeMB: 16 });
    await writeFile(layers.pathOf(id), "written by a machine", { flag: "a" });
    await layers.sync([id]);
    await losePower();
    assert.match(await readFile(layers.pathOf(id), "utf8"), /written by a machine$/);
  });

  const manifest = (layerIds: string[]): Omit<SavedManifest, "sizeBytes"> => ({
    kind: "full",
    accelerator: "tcg",
    machineType: "pc-q35-7.2",
    processorModel: "max,erms=off",
    machineFingerprint: "fingerprint-1",
    imageFingerprint: "image-1",
    baseMemoryMB: 1024,
    cpuCount: 1,
    memoryMB: 1024,
    disk: { goldenFingerprint, layers: layerIds, sizeMB: 16 },
    pauseMilliseconds: 0,
    sandbox: null,
    lostBecause: null,
  });

  async function savedOnDisk() {
    const layers = await openLayers();
    const saves = join(directory, "worker/saved");
    const saved = createSavedMachines({ directory: saves, layers, log });
    const unreadable = await saved.adopt();
    return { layers, saved, saves, unreadable };
  }

  async function makeSaved(id: string) {
    const { layers, saved } = await savedOnDisk();
    await syncDirectoryFiles(join(directory, "worker"));
    await syncDirectoryFiles(directory);
    const empty = join(directory, "empty");
    await layers.makeEmpty(empty, { goldenFingerprint, layers: [], sizeMB: 16 });
    const layerId = await layers.add("machine", empty, {
      goldenFingerprint,
      layers: [],
      sizeMB: 16,
    });
    await saved.make(id, async (filled) => {
      await writeFile(layers.pathOf(layerId), "written by a machine", { flag: "a" });
      await writeFile(savedPaths(filled).memoryPath, Buffer.alloc(1024 * 1024, 7));
      await writeFile(savedPaths(filled).statePath, "state of the devices");
      return manifest([layerId]);
    });
    return { saved, layers, layerId };
  }

  test("a saved machine survives with memory, state, disk and manifest", async () => {
    const { layerId } = await makeSaved("kept");
    await losePower();
    const { saved, layers, unreadable } = await savedOnDisk();
    assert.deepEqual(unreadable, []);
    const kept = saved.get("kept");
    assert.ok(kept !== undefined, "it is listed");
    const { memoryPath, statePath } = savedPaths(kept.directory);
    assert.ok((await readFile(memoryPath)).equals(Buffer.alloc(1024 * 1024, 7)));
    assert.equal(await readFile(statePath, "utf8"), "state of the devices");
    assert.match(await readFile(layers.pathOf(layerId), "utf8"), /written by a machine$/);
  });

  test("a saved machine that was removed does not reappear", async () => {
    const { saved } = await makeSaved("removed");
    await saved.remove("removed");
    await losePower();
    const next = await savedOnDisk();
    assert.deepEqual([next.saved.list(), next.unreadable], [[], []]);
  });

  test("an incomplete saved machine is not listed, and prevents nothing", async () => {
    const { saved } = await makeSaved("whole");
    const making = saved.make("half", async (filled) => {
      await writeFile(savedPaths(filled).memoryPath, "half");
      await losePower();
      throw new Error("the power failed");
    });
    await assert.rejects(making);
    const next = await savedOnDisk();
    assert.deepEqual([next.saved.list().map(({ id }) => id), next.unreadable], [["whole"], []]);
  });

  test("an imported guest image survives with its content", async () => {
    const source = await mkdtemp(join(tmpdir(), "image-"));
    try {
      const fingerprint = "image-fingerprint";
      const image = { fingerprint, kernelCommandLine: "quiet" };
      await writeFile(join(source, "image.json"), JSON.stringify(image));
      for (const part of ["kernel", "initramfs", "base.raw"]) {
        await writeFile(join(source, part), Buffer.alloc(1024 * 1024, part));
      }
      const images = join(directory, "images");
      await mkdir(images);
      await syncDirectoryFiles(directory);
      await importImage(source, images, log);
      await losePower();
      const { diskPath, kernelPath } = await openImage(images, fingerprint);
      assert.equal((await stat(diskPath)).size, 1024 * 1024);
      assert.ok((await readFile(kernelPath)).equals(Buffer.alloc(1024 * 1024, "kernel")));
    } finally {
      await rm(source, { recursive: true });
    }
  });
});
