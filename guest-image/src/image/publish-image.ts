import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { imageParts } from "./image-manifest.ts";

/**
 * Moves a finished image into place. The old manifest goes first and the new
 * one comes last, so at no moment does a manifest stand beside parts that are
 * not its own.
 */
export async function publishImage(partial: string, outputDirectory: string): Promise<void> {
  await rm(join(outputDirectory, "image.json"), { force: true });
  for (const name of [...imageParts, "image.json"]) {
    await rename(join(partial, name), join(outputDirectory, name));
  }
}
