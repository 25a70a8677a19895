import { readFile } from "node:fs/promises";

/** The text of a file of procfs(5); empty when its process has ended. */
export async function readProcFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
