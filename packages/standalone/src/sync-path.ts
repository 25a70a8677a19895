import { open } from "node:fs/promises";

/** Makes the content of a file, or what was renamed in a directory, outlast a power cut. */
export async function syncPath(path: string): Promise<void> {
  const entry = await open(path, "r");
  try {
    await entry.sync();
  } finally {
    await entry.close();
  }
}
