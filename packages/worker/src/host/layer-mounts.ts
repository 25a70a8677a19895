import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "../confinement/confinement.ts";

/**
 * Where the process of a machine finds the layers of its disk: a directory of
 * hard links is mounted where all layers are, so that a layer that is added
 * shows at once. It may write to the newest. The others belong to other
 * machines too, and to saved ones: they are read-only whoever owns them, since
 * a slot's user is that of each machine that has had the slot, and whatever
 * their headers name.
 */
export async function layerMounts({
  linkDirectory,
  layersDirectory,
  newestName,
}: {
  /** Written by root alone. */
  linkDirectory: string;
  layersDirectory: string;
  newestName: string;
}): Promise<Mount[]> {
  const entries = await readdir(linkDirectory, { withFileTypes: true });
  return [
    { source: linkDirectory, target: layersDirectory, access: "write" },
    // A link is of what the worker made, and a mount would follow a symbolic one on the host.
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
