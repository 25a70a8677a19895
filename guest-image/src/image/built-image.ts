import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ImageManifest, imageManifestSchema, imageParts } from "./image-manifest.ts";

/**
 * The manifest of the image in `directory`, or `undefined` when there is none
 * that is whole: no manifest, one of another form, or a part of another size.
 */
export async function readBuiltImage(directory: string): Promise<ImageManifest | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, "image.json"), "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const manifest = imageManifestSchema.safeParse(parseJson(text));
  if (!manifest.success) return undefined;
  for (const part of imageParts) {
    if ((await sizeOf(join(directory, part))) !== manifest.data.parts[part].sizeBytes) {
      return undefined;
    }
  }
  return manifest.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
