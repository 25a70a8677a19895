import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { renameDurably, setAside, syncDirectoryFiles } from "../files/durable-files.ts";
import { readJsonFile } from "../files/write-json-file.ts";
import { runProgram } from "../process/run-program.ts";

/** What the worker reads of a guest image's `image.json`. */
export const imageManifestSchema = z.object({
  fingerprint: z.string().regex(/^[0-9A-Za-z_-]{8,128}$/),
  kernelCommandLine: z.string().min(1),
});

/** A guest image inside the data directory. It never changes. */
export interface Image {
  readonly fingerprint: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
  readonly diskPath: string;
  readonly kernelCommandLine: string;
  /** Size of its disk as the guest sees it. */
  readonly diskMB: number;
}

/** The files of an image. */
export function imagePaths(directory: string) {
  return {
    kernelPath: join(directory, "kernel"),
    initramfsPath: join(directory, "initramfs"),
    diskPath: join(directory, "base.raw"),
  };
}

const parts = ["kernel", "initramfs", "base.raw", "image.json"] as const;

/**
 * Copies a built guest image into the data directory, unless it exists there:
 * running sandboxes are then independent of the next build. A copy that does not
 * finish is not taken for an image.
 *
 * @throws {Error} when `sourceDirectory` holds no built image.
 */
export async function importImage(
  sourceDirectory: string,
  imagesDirectory: string,
  log: { error(details: object, message: string): void },
): Promise<Image> {
  const manifest = await readJsonFile(join(sourceDirectory, "image.json"), imageManifestSchema);
  if (manifest === undefined) {
    throw new Error(
      `There is no guest image in ${sourceDirectory}: build it with guest-image/src/main.ts`,
    );
  }
  const directory = join(imagesDirectory, manifest.fingerprint);
  if (!(await isImported(directory, log))) {
    const temporaryDirectory = `${directory}.new`;
    await rm(temporaryDirectory, { recursive: true, force: true });
    await mkdir(temporaryDirectory, { recursive: true });
    await runProgram(
      "cp",
      [
        "--sparse=always",
        "--reflink=auto",
        "--",
        ...parts.map((part) => join(sourceDirectory, part)),
        temporaryDirectory,
      ],
      { timeoutSeconds: 600 },
    );
    await syncDirectoryFiles(temporaryDirectory);
    await renameDurably(temporaryDirectory, directory);
  }
  return openImage(imagesDirectory, manifest.fingerprint);
}

/** Returns whether the image exists. One that cannot be read is set aside: its replacement has the same content. */
async function isImported(
  directory: string,
  log: { error(details: object, message: string): void },
): Promise<boolean> {
  try {
    return (await readJsonFile(join(directory, "image.json"), imageManifestSchema)) !== undefined;
  } catch (error) {
    const aside = await setAside(directory);
    log.error({ aside, err: error }, "A guest image cannot be read; it is set aside");
    return false;
  }
}

/** An image of the data directory. @throws {Error} when it does not exist. */
export async function openImage(imagesDirectory: string, fingerprint: string): Promise<Image> {
  const directory = join(imagesDirectory, fingerprint);
  const manifest = await readJsonFile(join(directory, "image.json"), imageManifestSchema);
  if (manifest === undefined) throw new Error(`There is no image in ${directory}`);
  const paths = imagePaths(directory);
  return {
    fingerprint,
    ...paths,
    kernelCommandLine: manifest.kernelCommandLine,
    diskMB: Math.floor((await stat(paths.diskPath)).size / (1024 * 1024)),
  };
}
