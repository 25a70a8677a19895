import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { goldenDigest } from "./golden-fingerprint.ts";
import { isBakedFrom, listGoldens } from "./golden-snapshot.ts";
import { removeUnusedGoldens } from "./remove-unused-goldens.ts";

const rest = { machineFingerprint: "m", baseMemoryMB: 1024, diskMB: 16 };
const nameOf = (digit: string) => digit.repeat(32);

describe("golden snapshots", () => {
  let root: string;
  let directories: { golden: string; images: string };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "golden-"));
    directories = { golden: join(root, "golden"), images: join(root, "images") };
    for (const directory of Object.values(directories)) await mkdir(directory);
  });
  afterEach(() => rm(root, { recursive: true }));

  async function add(name: string, manifest: object): Promise<void> {
    await mkdir(join(directories.golden, name));
    await writeFile(join(directories.golden, name, "golden.json"), JSON.stringify(manifest));
  }
  async function addImage(fingerprint: string): Promise<void> {
    await mkdir(join(directories.images, fingerprint));
    await writeFile(join(directories.images, fingerprint, "base.raw"), "disk");
    const text = JSON.stringify({ fingerprint, kernelCommandLine: "quiet" });
    await writeFile(join(directories.images, fingerprint, "image.json"), text);
  }
  const present = async (what: "golden" | "images") => (await readdir(directories[what])).sort();

  test("one is found by its inputs, whether it is named by its content or, as before, by them", async () => {
    await add(nameOf("a"), { imageFingerprint: "image-aa", ...rest });
    const inputsFingerprint = nameOf("c");
    await add(nameOf("b"), {
      version: 2,
      inputsFingerprint,
      imageFingerprint: "image-bb",
      ...rest,
    });
    const { snapshots, unreadable } = await listGoldens(directories.golden);
    assert.deepEqual(unreadable, []);
    const bakedFrom = (inputs: string) =>
      snapshots.filter((each) => isBakedFrom(each, inputs)).map(({ fingerprint }) => fingerprint);
    assert.deepEqual(bakedFrom(nameOf("a")), [nameOf("a")]);
    assert.deepEqual(bakedFrom(inputsFingerprint), [nameOf("b")]);
    assert.deepEqual(bakedFrom(nameOf("b")), []);
  });

  test("goldenDigest: differs with content, length and order", async () => {
    const [one, other] = [join(root, "one"), join(root, "other")];
    await writeFile(one, "12");
    await writeFile(other, "3");
    const digest = await goldenDigest([one, other]);
    assert.match(digest, /^[0-9a-f]{32}$/);
    assert.equal(await goldenDigest([one, other]), digest);
    assert.notEqual(await goldenDigest([other, one]), digest);
    await writeFile(one, "1");
    await writeFile(other, "23");
    assert.notEqual(await goldenDigest([one, other]), digest);
  });

  test("what nothing needs is removed, with its image; what is unfinished too", async () => {
    await add(nameOf("a"), { imageFingerprint: "image-aa", ...rest });
    await add(nameOf("b"), { imageFingerprint: "image-bb", ...rest });
    for (const image of ["image-aa", "image-bb"]) await addImage(image);
    for (const name of ["golden/x.new", "golden/y.old", "images/z.new"]) {
      await mkdir(join(root, name));
    }
    await removeUnusedGoldens(directories, new Set([nameOf("a")]));
    assert.deepEqual(await present("golden"), [nameOf("a")]);
    assert.deepEqual(await present("images"), ["image-aa"]);
  });

  test("what cannot be read stays, and every image with it; unknown names stay", async () => {
    await add(nameOf("a"), { imageFingerprint: "image-aa", ...rest });
    await add(nameOf("d"), { version: 99 });
    await addImage("image-dd");
    await mkdir(join(directories.golden, "notes"));
    await removeUnusedGoldens(directories, new Set());
    assert.deepEqual(await present("golden"), [nameOf("d"), "notes"]);
    assert.deepEqual(await present("images"), ["image-dd"]);
  });
});
