import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "../process/confinement.ts";

/**
 * The mounts by which the process of a machine finds the layers of its disk: a
 * directory of hard links is mounted where all layers are, so that an added layer
 * appears at once. It may write to the newest. The others are shared with other
 * and saved machines: they are mounted read-only, whatever their headers refer
 * to and even if the process's user owns them, since each machine that gets a
 * slot runs as that slot's user.
 */
export async function layerMounts({
  linkDirectory,
  layersDirectory,
  newestName,
}: {
  /** Only root can write to it. */
  linkDirectory: string;
  layersDirectory: string;
  newestName: string;
}): Promise<Mount[]> {
  const entries = await readdir(linkDirectory, { withFileTypes: true });
  return [
    { source: linkDirectory, target: layersDirectory, access: "write" },
    // The worker made the linked files, and a mount would follow a symbolic link on the host.
    ...entries
      .filter((entry) => entry.isFile() && entry.name !== newestName)
      .map(
        ({ name }): Mount => ({
          source: join(linkDirectory, name),
          target: join(layersDirectory, name),
          access: "read",
        }),
      ),
  ];
}
