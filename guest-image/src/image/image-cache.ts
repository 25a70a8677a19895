import { link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../run-program.ts";
import { type ImageManifest, imageParts, readBuiltImage } from "./built-image.ts";
import { openPartialDirectory } from "./partial-directory.ts";

/** An older image lacks too many fixes of its Debian packages. */
const ageDaysMax = 30;
const imagesMax = 3;
/** The manifest is last: it is younger than the parts that it describes. */
const imageFiles = [...imageParts, "image.json"];
const dayMilliseconds = 24 * 60 * 60 * 1000;

/**
 * Gives `directory` the cached image of `fingerprint` and returns its manifest.
 * Returns undefined, and gives nothing, when there is none that is complete,
 * recent and unchanged since it was built.
 */
export async function takeCachedImage(
  cacheDirectory: string,
  fingerprint: string,
  directory: string,
): Promise<ImageManifest | undefined> {
  const cached = join(cacheDirectory, fingerprint);
  const manifest = await readBuiltImage(cached);
  if (manifest?.fingerprint !== fingerprint) return undefined;
  if (Date.now() - Date.parse(manifest.builtAt) > ageDaysMax * dayMilliseconds) return undefined;
  if (await hasChanged(cached)) return undefined;
  await linkImage(cached, directory);
  return manifest;
}

/** Adds an image to the cache and removes the oldest beyond `imagesMax`. */
export async function storeCachedImage(
  cacheDirectory: string,
  fingerprint: string,
  directory: string,
): Promise<void> {
  const partial = await openPartialDirectory(cacheDirectory);
  try {
    await linkImage(directory, partial);
    const cached = join(cacheDirectory, fingerprint);
    await rm(cached, { recursive: true, force: true });
    await rename(partial, cached);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  const names = (await readdir(cacheDirectory)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const images = await Promise.all(
    names.map(async (name) => {
      const path = join(cacheDirectory, name);
      return { path, storedAt: (await stat(path)).mtimeMs };
    }),
  );
  images.sort((one, other) => other.storedAt - one.storedAt);
  for (const { path } of images.slice(imagesMax)) await rm(path, { recursive: true, force: true });
}

/**
 * An image is the same files in the cache and in all checkouts, which only read
 * them; on another file system it is a copy.
 */
async function linkImage(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of imageFiles) {
    const [source, target] = [join(from, name), join(to, name)];
    try {
      await link(source, target);
    } catch (error) {
      if (!isCrossDevice(error)) throw error;
      await runProgram(["cp", "--reflink=auto", "--sparse=always", source, target]);
    }
  }
}

/** Whether a part has changed since its manifest was written. */
async function hasChanged(directory: string): Promise<boolean> {
  const timeOf = async (name: string) =>
    (await stat(join(directory, name), { bigint: true })).mtimeNs;
  const completedAt = await timeOf("image.json");
  const times = await Promise.all(imageParts.map(timeOf));
  return times.some((time) => time > completedAt);
}

function isCrossDevice(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EXDEV";
}
