import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openImage } from "../disks/import-image.ts";
import { removed, removeWhole } from "../files/durable-files.ts";
import { listGoldens } from "./golden-snapshot.ts";

const unfinished = ".new";

/**
 * Removes the snapshots that are not kept, the images that none of the kept
 * lies on, and what was not finished. What cannot be read, or has another kind
 * of name, stays. While one cannot be read every image stays, since it may be needed.
 */
export async function removeUnusedGoldens(
  directories: { golden: string; images: string },
  kept: ReadonlySet<string>,
): Promise<void> {
  const { snapshots, unreadable } = await listGoldens(directories.golden);
  for (const { fingerprint } of snapshots) {
    if (!kept.has(fingerprint)) await removeWhole(join(directories.golden, fingerprint));
  }
  for (const directory of [directories.golden, directories.images]) {
    await removeUnfinished(directory);
  }
  if (unreadable.length > 0) return;
  const keptImages = new Set(
    snapshots.flatMap((each) => (kept.has(each.fingerprint) ? each.imageFingerprint : [])),
  );
  for (const name of await readdir(directories.images)) {
    if (keptImages.has(name) || !(await isImage(directories.images, name))) continue;
    await removeWhole(join(directories.images, name));
  }
}

async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith(unfinished) && !name.endsWith(removed)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function isImage(imagesDirectory: string, name: string): Promise<boolean> {
  try {
    return (await openImage(imagesDirectory, name)).fingerprint === name;
  } catch {
    // A directory that cannot be opened may be of another version, and stays.
    return false;
  }
}
