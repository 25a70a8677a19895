import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Layers } from "../disks/create-layers.ts";
import { readJsonFile } from "../files/write-json-file.ts";
import { failSyncOf } from "../testing/fail-sync-of.ts";
import { sandboxSpec } from "../testing/fake-machines.ts";
import { failsWith } from "../testing/sandboxes-scenario.ts";
import { createSavedMachines } from "./create-saved-machines.ts";
import { type SavedManifest, savedManifestSchema, savedPaths } from "./saved-manifest.ts";

const id = "sb-aaaaaaaaaaaaaaaaaaaa";
const owner = `saved ${id}`;
const goldenFingerprint = "0".repeat(32);
const layerId = (index: number) => index.toString(16).padStart(16, "0");
const chain = (length: number) => Array.from({ length }, (_, index) => layerId(index + 1));
const flatLayerId = "f".repeat(16);

function manifest(change: Partial<SavedManifest> = {}): Omit<SavedManifest, "sizeBytes"> {
  return {
    kind: "disk_only",
    accelerator: "tcg",
    machineType: "pc-q35-7.2",
    processorModel: "max,erms=off",
    machineFingerprint: "fingerprint-1",
    imageFingerprint: "image-1",
    baseMemoryMB: 1024,
    cpuCount: 1,
    memoryMB: 1024,
    disk: { goldenFingerprint, layers: chain(1), sizeMB: 8192 },
    pauseMilliseconds: 0,
    sandbox: sandboxSpec(),
    lostBecause: null,
    ...change,
  };
}

const withLayers = (length: number, change: Partial<SavedManifest> = {}) =>
  manifest({ ...change, disk: { goldenFingerprint, layers: chain(length), sizeMB: 8192 } });

describe("createSavedMachines", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "saved-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Saved machines on layers that only say who holds them; a flattening waits for `whileFlattening`. */
  function scenario(whileFlattening: () => Promise<void> = async () => undefined) {
    const held = new Map<string, readonly string[]>();
    const warnings: string[] = [];
    let flattenings = 0;
    const layers: Layers = {
      directory,
      pathOf: (layer) => layer,
      basePathOf: () => "golden",
      async hold(holder, layerIds) {
        if (layerIds.length === 0) held.delete(holder);
        else held.set(holder, layerIds);
      },
      makeEmpty: (path) => writeFile(path, ""),
      add: () => Promise.reject(new Error("not here")),
      async flatten(holder) {
        flattenings += 1;
        held.set(holder, [flatLayerId, ...(held.get(holder) ?? [])]);
        await whileFlattening();
        return flatLayerId;
      },
      sync: async () => undefined,
      bytesOf: async (layerIds) => layerIds.length * 1000,
      removeOrphans: async () => undefined,
    };
    const errors: unknown[] = [];
    const log = {
      warn: (_: object, message: string) => void warnings.push(message),
      error: (details: object) => void errors.push("err" in details ? details.err : undefined),
    };
    const saved = createSavedMachines({ directory, layers, log });
    return { saved, held, warnings, errors, flattenings: () => flattenings };
  }

  test("make: what is made exists, with its size, its layers held, also for the next worker", async () => {
    const { saved, held } = scenario();
    const made = await saved.make(id, async (filled) => {
      assert.deepEqual(await readdir(filled), []);
      await writeFile(savedPaths(filled).memoryPath, Buffer.alloc(8192, 1));
      await writeFile(savedPaths(filled).statePath, Buffer.alloc(4096, 1));
      return withLayers(2, { kind: "full" });
    });
    assert.equal(made.sizeBytes, 8192 + 4096 + 2 * 1000);
    assert.equal(saved.get(id), made);
    assert.deepEqual(saved.list(), [made]);
    assert.deepEqual(held.get(owner), chain(2));
    const next = scenario();
    await next.saved.adopt();
    assert.deepEqual(next.saved.list(), [made]);
    assert.deepEqual(next.held.get(owner), chain(2));
  });

  const failures = [
    ["an error is passed on", new Error("broken off"), /broken off/],
    [
      "a full disk is reported as such",
      Object.assign(new Error("write"), { code: "ENOSPC" }),
      failsWith("host_storage_full"),
    ],
    [
      "a full disk of a program too",
      new Error("outside", { cause: new Error("qemu-img: No space left on device") }),
      failsWith("host_storage_full"),
    ],
  ] as const;
  for (const [what, error, expected] of failures) {
    test(`make: ${what}, and nothing half-made stays`, async () => {
      const { saved, held } = scenario();
      const making = saved.make(id, async (filled) => {
        await writeFile(savedPaths(filled).memoryPath, "half");
        throw error;
      });
      await assert.rejects(making, expected);
      assert.deepEqual([await readdir(directory), saved.list(), held.size], [[], [], 0]);
      assert.ok(await saved.make(id, async () => manifest()));
    });
  }

  test("make: an id that exists, or is being made, is refused and stays as it is", async () => {
    const { saved, held } = scenario();
    const making = saved.make(id, async () => manifest());
    await assert.rejects(
      saved.make(id, async () => withLayers(3)),
      failsWith("name_in_use"),
    );
    const made = await making;
    await assert.rejects(
      saved.make(id, async () => withLayers(3)),
      failsWith("name_in_use"),
    );
    assert.equal(saved.get(id), made);
    assert.deepEqual(held.get(owner), chain(1));
  });

  test("remove: files, layers and entry go; done already is no error, at the same time too", async () => {
    const { saved, held } = scenario();
    await saved.make(id, async () => manifest());
    await Promise.all([saved.remove(id), saved.remove(id)]);
    await saved.remove(id);
    assert.deepEqual([await readdir(directory), saved.list(), held.size], [[], [], 0]);
  });

  test("remove: what cannot be removed is still there", async () => {
    const { saved, held } = scenario();
    await saved.make(id, async () => manifest());
    await rm(join(directory, id), { recursive: true });
    await assert.rejects(saved.remove(id), { code: "ENOENT" });
    assert.ok(saved.get(id));
    assert.deepEqual(held.get(owner), chain(1));
  });

  test("make: on a disk that does not keep the new name, nothing is made, and the next try makes it", async () => {
    const { saved, held } = scenario();
    const recover = await failSyncOf(directory);
    await assert
      .rejects(
        saved.make(id, async () => manifest()),
        { code: "EIO" },
      )
      .finally(recover);
    assert.deepEqual([await readdir(directory), saved.list(), held.size], [[], [], 0]);
    const next = scenario();
    await next.saved.adopt();
    assert.deepEqual(next.saved.list(), []);
    assert.ok(await saved.make(id, async () => manifest()));
  });

  test("remove: on a disk that does not keep the new name, it stays, and the next try removes it", async () => {
    const { saved, held } = scenario();
    const made = await saved.make(id, async () => manifest());
    const recover = await failSyncOf(directory);
    await assert.rejects(saved.remove(id), { code: "EIO" }).finally(recover);
    assert.equal(saved.get(id), made);
    assert.deepEqual(held.get(owner), chain(1));
    const next = scenario();
    await next.saved.adopt();
    assert.deepEqual(next.saved.list(), [made]);
    await saved.remove(id);
    assert.deepEqual([await readdir(directory), saved.list(), held.size], [[], [], 0]);
  });

  test("adopt: removes what was not finished, made or removed", async () => {
    const first = scenario();
    await first.saved.make(id, async () => manifest());
    await mkdir(join(directory, "half.new"));
    await writeFile(join(directory, "half.new/memory"), "half");
    await mkdir(join(directory, "gone.old"));
    const { saved } = scenario();
    assert.deepEqual(await saved.adopt(), []);
    assert.deepEqual(await readdir(directory), [id]);
    assert.deepEqual(
      saved.list().map((each) => each.id),
      [id],
    );
  });

  for (const [what, text, message] of [
    ["has no manifest", undefined, /other\/saved.json is missing/],
    ["has a manifest of an unknown form", "{}", /other\/saved.json is not of the expected form/],
    ["has half a manifest", '{"kind": "fu', /other\/saved.json is not of the expected form/],
  ] as const) {
    test(`adopt: one that ${what} stays, and the others are adopted`, async () => {
      await scenario().saved.make(id, async () => manifest());
      const other = join(directory, "other");
      await mkdir(other);
      await writeFile(join(other, "memory"), "kept");
      if (text !== undefined) await writeFile(join(other, "saved.json"), text);
      const { saved, errors } = scenario();
      assert.deepEqual(await saved.adopt(), [other]);
      assert.deepEqual(
        saved.list().map((each) => each.id),
        [id],
      );
      assert.equal(await readFile(join(other, "memory"), "utf8"), "kept");
      assert.match(String(errors[0]), message);
    });
  }

  describe("flattenDeep", () => {
    const flat = [flatLayerId];

    test("a disk of more than eight layers becomes one of one; others stay", async () => {
      const { saved, held, flattenings } = scenario();
      await saved.make(id, async () => withLayers(9));
      await saved.make("shallow", async () => withLayers(8));
      await Promise.all([saved.flattenDeep(), saved.flattenDeep()]);
      assert.equal(flattenings(), 1);
      assert.deepEqual(saved.get(id)?.disk.layers, flat);
      assert.deepEqual(held.get(owner), flat);
      assert.deepEqual(saved.get("shallow")?.disk.layers, chain(8));
      const { manifestPath } = savedPaths(join(directory, id));
      const written = await readJsonFile(manifestPath, savedManifestSchema);
      assert.deepEqual(written?.disk.layers, flat);
    });

    test("there is an empty layer over the new disk", async () => {
      const { saved } = scenario();
      await saved.make(id, async () => withLayers(9));
      await saved.flattenDeep();
      const files = [`over-${flatLayerId}.qcow2`, "saved.json"];
      assert.deepEqual(await readdir(join(directory, id)), files);
    });

    test("what is removed meanwhile stays removed", async () => {
      const { saved, held } = scenario(() => saved.remove(id));
      await saved.make(id, async () => withLayers(9));
      await saved.flattenDeep();
      assert.deepEqual([await readdir(directory), saved.list(), held.size], [[], [], 0]);
    });

    test("what is removed and made again meanwhile keeps its own layers", async () => {
      const { saved, held } = scenario(async () => {
        await saved.remove(id);
        await saved.make(id, async () => withLayers(3));
      });
      await saved.make(id, async () => withLayers(9));
      await saved.flattenDeep();
      assert.deepEqual(saved.get(id)?.disk.layers, chain(3));
      assert.deepEqual(held.get(owner), chain(3));
    });

    test("what cannot be flattened stays as it is, and the next one is flattened", async () => {
      let failing = true;
      const { saved, held, warnings } = scenario(async () => {
        if (!failing) return;
        failing = false;
        throw new Error("qemu-img failed");
      });
      await saved.make(id, async () => withLayers(9));
      await saved.make("next", async () => withLayers(9));
      await saved.flattenDeep();
      assert.deepEqual(warnings, ["A deep disk could not be flattened"]);
      assert.deepEqual(held.get(owner), chain(9));
      assert.deepEqual(saved.get(id)?.disk.layers, chain(9));
      assert.deepEqual(saved.get("next")?.disk.layers, flat);
    });
  });
});
