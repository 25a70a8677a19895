import assert from "node:assert/strict";
import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { writeImage } from "../testing/write-image.ts";
import { readBuiltImage } from "./built-image.ts";
import { storeCachedImage, takeCachedImage } from "./image-cache.ts";

const fingerprint = "ab".repeat(32);

describe("the cache of guest images", () => {
  let directory: string;
  let cache: string;
  let image: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "image-cache-"));
    cache = join(directory, "cache");
    image = join(directory, "image");
    await writeImage(image, fingerprint);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const take = async (wanted = fingerprint) =>
    (await takeCachedImage(cache, wanted, join(directory, "taken"))) !== undefined;

  test("gives a complete image to another checkout", async () => {
    await storeCachedImage(cache, fingerprint, image);
    assert.equal(await take(), true);
    assert.deepEqual(await readBuiltImage(join(directory, "taken")), await readBuiltImage(image));
    assert.deepEqual(await readdir(cache), [fingerprint]);
    const disk = await stat(join(directory, "taken/base.raw"));
    assert.equal((await stat(join(image, "base.raw"))).ino, disk.ino);
  });

  test("has nothing before an image is stored, nor for other sources", async () => {
    assert.equal(await take(), false);
    await storeCachedImage(cache, fingerprint, image);
    assert.equal(await take("cd".repeat(32)), false);
  });

  test("does not give a damaged image", async () => {
    await storeCachedImage(cache, fingerprint, image);
    const path = join(cache, fingerprint, "kernel");
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    await writeFile(path, bytes);
    // Time stamps of files are coarse.
    const later = new Date(Date.now() + 1000);
    await utimes(path, later, later);
    assert.equal(await take(), false);
    await appendFile(path, "x");
    assert.equal(await take(), false);
  });

  test("does not give an image that is older than 30 days", async () => {
    await writeImage(image, fingerprint, new Date(Date.now() - 31 * 24 * 60 * 60 * 1000));
    await storeCachedImage(cache, fingerprint, image);
    assert.equal(await take(), false);
  });

  test("keeps the three images that were stored last", async () => {
    const names = ["01", "02", "03", "04"].map((digits) => digits.repeat(32));
    for (const name of names) await storeCachedImage(cache, name, image);
    assert.equal((await readdir(cache)).length, 3);
    assert.equal((await readdir(cache)).includes(names[3] ?? ""), true);
  });
});
