import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { asStorageError } from "../files/durable-files.ts";
import { runProgram } from "../process/run-program.ts";
import { failsWith } from "../testing/sandboxes-scenario.ts";
import { createLayers, type Disk, type Layers } from "./create-layers.ts";
import { rebaseLayer } from "./rebase-layer.ts";

const goldenFingerprint = "0".repeat(32);
const sizeMB = 16;
const mebi = 1024 * 1024;

describe("createLayers", () => {
  let root: string;
  let layers: Layers;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "layers-"));
    const golden = join(root, "golden", goldenFingerprint);
    await mkdir(golden, { recursive: true });
    const goldenDisk = join(golden, "disk.qcow2");
    await runProgram("qemu-img", ["create", "-q", "-f", "qcow2", goldenDisk, `${sizeMB}M`]);
    await write(goldenDisk, 0xff, 0, sizeMB);
    await mkdir(join(root, "worker"));
    await mkdir(join(root, "images"));
    layers = await createLayers(join(root, "worker/layers"), { rebase });
  });
  const user = { userId: 0, groupId: 0, otherGroupIds: [] };
  const rebase = (layerId: string, disk: Disk) => {
    const directories = {
      layers: join(root, "worker/layers"),
      golden: join(root, "golden"),
      images: join(root, "images"),
    };
    return rebaseLayer({ directories, user, layerId, disk });
  };
  afterEach(() => rm(root, { recursive: true }));

  /** Fills megabytes of a disk with a byte, as a guest would write them. */
  async function write(path: string, fill: number, fromMB: number, countMB: number) {
    const command = `write -P ${fill} ${fromMB * mebi} ${countMB * mebi}`;
    await runProgram("qemu-io", ["-f", "qcow2", "-c", command, path]);
  }

  /** The byte that every megabyte of a disk is filled with; throws for one that is not. */
  async function read(path: string): Promise<number[]> {
    const raw = join(root, "raw");
    await runProgram("qemu-img", ["convert", "-U", "-O", "raw", path, raw]);
    const bytes: number[] = [];
    for (let index = 0; index < (await stat(raw)).size / mebi; index += 1) {
      const first = await runProgram("od", ["-An", "-tu1", "-N1", `-j${index * mebi}`, raw]);
      const last = await runProgram("od", [
        "-An",
        "-tu1",
        "-N1",
        `-j${index * mebi + mebi - 1}`,
        raw,
      ]);
      assert.equal(first, last, `megabyte ${index}`);
      bytes.push(Number(first));
    }
    return bytes;
  }

  /** A layer over a disk, with megabyte `index` written. */
  async function addOver(
    owner: string,
    below: readonly string[],
    index: number,
  ): Promise<string[]> {
    const empty = join(root, `empty-${below.length}`);
    await layers.makeEmpty(empty, disk(below));
    const added = await layers.add(owner, empty, disk(below));
    await rm(empty);
    await write(layers.pathOf(added), index + 1, index, 1);
    return [added, ...below];
  }

  async function makeChain(owner: string, length: number): Promise<string[]> {
    let chain: string[] = [];
    for (let index = 0; index < length; index += 1) chain = await addOver(owner, chain, index);
    return chain;
  }

  const disk = (chain: readonly string[]): Disk => ({
    goldenFingerprint,
    layers: [...chain],
    sizeMB,
  });
  const files = async () => (await readdir(layers.directory)).sort();
  const named = (...chains: readonly string[][]) =>
    [...new Set(chains.flat().map((layerId) => `${layerId}.qcow2`))].sort();
  const contentOf = (length: number) =>
    Array.from({ length: sizeMB }, (_, index) => (index < length ? index + 1 : 0xff));

  test("a disk has what its layers have, the newest first, and the golden disk's rest", async () => {
    const [newest = "", ...older] = await makeChain("a", 3);
    assert.deepEqual(await read(layers.pathOf(newest)), contentOf(3));
    assert.deepEqual(await read(layers.pathOf(older[0] ?? "")), contentOf(2));
  });

  test("a new layer is made where there is no empty one to copy", async () => {
    const chain = await makeChain("a", 1);
    const added = await layers.add("b", join(root, "none"), disk(chain));
    await write(layers.pathOf(added), 9, 1, 1);
    assert.deepEqual((await read(layers.pathOf(added))).slice(0, 3), [1, 9, 0xff]);
  });

  test("a layer goes with the last one that holds it, not before", async () => {
    const chain = await makeChain("a", 2);
    await layers.hold("b", chain.slice(1));
    await layers.hold("a", []);
    assert.deepEqual(await files(), named(chain.slice(1)));
    await layers.hold("b", chain.slice(1));
    assert.deepEqual(await files(), named(chain.slice(1)));
    await layers.hold("b", []);
    assert.deepEqual(await files(), []);
  });

  test("what an owner alone holds counts, what another one needs too does not", async () => {
    const isNot = (owner: string) => (other: string) => other !== owner;
    const chain = await makeChain("a", 2);
    const both = await layers.bytesOf(chain, isNot("a"));
    assert.ok(both >= 2 * mebi && both < 4 * mebi, `${both}`);
    await layers.hold("b", chain.slice(1));
    const one = await layers.bytesOf(chain, isNot("a"));
    assert.ok(one >= mebi && one < 2 * mebi, `${one}`);
    assert.equal(await layers.bytesOf(chain.slice(1), isNot("b")), 0);
  });

  test("orphans: a layer without an owner is removed; what is no layer stays", async () => {
    const chain = await makeChain("a", 2);
    for (const name of ["ffffffffffffffff.qcow2", "other", `${chain[0]}.qcow2.new`]) {
      await writeFile(join(layers.directory, name), "");
    }
    await layers.removeOrphans();
    const others = ["other", `${chain[0]}.qcow2.new`];
    assert.deepEqual(await files(), [...named(chain), ...others].sort());
  });

  test("flatten: one layer with the same content; the deep ones are removed when they are released", async () => {
    const chain = await makeChain("a", 10);
    const flat = await layers.flatten("a", disk(chain));
    assert.deepEqual(await files(), named(chain, [flat]));
    await layers.hold("a", [flat]);
    assert.deepEqual(await files(), named([flat]));
    assert.deepEqual(await read(layers.pathOf(flat)), contentOf(10));
    const info = await runProgram("qemu-img", ["info", "--output=json", layers.pathOf(flat)]);
    assert.match(info, new RegExp(`"\\.\\./\\.\\./golden/${goldenFingerprint}/disk\\.qcow2"`));
  });

  test("flatten: zeros stay zeros, and a disk that has grown stays as large", async () => {
    const chain = await addOver("a", await makeChain("a", 2), 2);
    const newest = layers.pathOf(chain[0] ?? "");
    await runProgram("qemu-img", ["resize", "-q", newest, `${2 * sizeMB}M`]);
    await write(newest, 77, 2 * sizeMB - 1, 1);
    await runProgram("qemu-io", [
      ...["-f", "qcow2", "-c", `write -z 0 ${mebi}`],
      ...["-c", `discard ${8 * mebi} ${mebi}`, newest],
    ]);
    const before = await read(newest);
    assert.equal(before[2 * sizeMB - 1], 77);
    const flat = await layers.flatten("a", disk(chain));
    await layers.hold("a", [flat]);
    assert.deepEqual(await read(layers.pathOf(flat)), before);
    assert.deepEqual([before[0], before[1], before[2]], [0, 2, 3]);
    await runProgram("qemu-img", ["check", "-q", layers.pathOf(flat)]);
  });

  test("flatten: a machine that was made of the deep disk meanwhile keeps it", async () => {
    const chain = await makeChain("a", 9);
    const flattening = layers.flatten("a", disk(chain));
    await layers.hold("machine", chain);
    const fork = await addOver("machine", chain, 9);
    const flat = await flattening;
    await layers.hold("a", [flat]);
    assert.deepEqual(await files(), named(fork, [flat]));
    assert.deepEqual(await read(layers.pathOf(fork[0] ?? "")), contentOf(10));
    assert.deepEqual(await read(layers.pathOf(flat)), contentOf(9));
    await layers.hold("machine", []);
    assert.deepEqual(await files(), named([flat]));
  });

  test("flatten: a disk that a machine has open to write is read nevertheless", async () => {
    const chain = await makeChain("a", 2);
    const path = layers.pathOf(chain[0] ?? "");
    // Waits within qemu-io, which has locked the disk.
    const writing = runProgram("qemu-io", ["-f", "qcow2", "-c", "sleep 1500", path]);
    const flat = await layers.flatten("a", disk(chain));
    await writing;
    assert.deepEqual(await read(layers.pathOf(flat)), contentOf(2));
  });

  test("flatten: a layer whose header names a file of the host gets nothing of it", async () => {
    const chain = await makeChain("a", 2);
    const secret = join(root, "secret");
    await writeFile(secret, Buffer.alloc(sizeMB * mebi, 0x5e));
    const newest = layers.pathOf(chain[0] ?? "");
    const forge = ["rebase", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", secret, newest];
    await runProgram("qemu-img", forge);
    // What is not confined follows the header.
    assert.equal((await read(newest))[8], 0x5e);
    await assert.rejects(layers.flatten("a", disk(chain)), /secret'?: No such file/);
    assert.deepEqual(await files(), named(chain));
  });

  test("flatten: what fails leaves nothing and gives nothing up", async () => {
    const chain = await makeChain("a", 2);
    await rm(layers.pathOf(chain[1] ?? ""));
    await assert.rejects(layers.flatten("a", disk(chain)), /qemu-img failed/);
    assert.deepEqual(await files(), named(chain.slice(0, 1)));
    await assert.rejects(layers.flatten("a", disk([])), /without layers/);
  });

  test("a full disk is reported as such, and leaves nothing", async () => {
    const full = join(root, "full");
    await mkdir(full);
    await runProgram("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", full]);
    try {
      const chain = await makeChain("a", 2);
      const large = layers.pathOf(chain[0] ?? "");
      const onFull = await createLayers(full, { rebase });
      const isReported = (work: Promise<unknown>) =>
        work.catch((error: unknown) => {
          throw asStorageError(error);
        });
      await assert.rejects(
        isReported(onFull.add("a", large, disk(chain))),
        failsWith("host_storage_full"),
      );
      assert.deepEqual(await readdir(full), []);
      await writeFile(join(full, "rest"), Buffer.alloc(200 * 1024));
      await assert.rejects(
        isReported(layers.makeEmpty(join(full, "empty"), disk(chain))),
        failsWith("host_storage_full"),
      );
    } finally {
      await runProgram("umount", [full]);
    }
  });
});
