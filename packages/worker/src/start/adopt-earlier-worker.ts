import type { Layers } from "../disks/create-layers.ts";
import type { Host } from "../host-calls/host.ts";
import type { Machines } from "../machines/create-machines.ts";
import type { Sandboxes } from "../sandboxes/sandboxes.ts";
import type { SavedMachines } from "../saved-machines/create-saved-machines.ts";

/**
 * Adopts what an earlier worker left: saved machines, machines that run, and
 * the sandboxes that they are. What no record needs is removed, unless there
 * are records that cannot be read, which may need any file.
 *
 * @returns the directories of those that cannot be read, which stay as they are.
 */
export async function adoptEarlierWorker(parts: {
  hibernated: SavedMachines;
  checkpoints: SavedMachines;
  machines: Machines;
  layers: Layers;
  sandboxes: Sandboxes;
  host: Pick<Host, "setUpNetwork">;
}): Promise<string[]> {
  const { hibernated, checkpoints, machines, layers, sandboxes, host } = parts;
  const unreadable = [...(await hibernated.adopt()), ...(await checkpoints.adopt())];
  const adopted = await machines.adopt();
  const quarantined = [...unreadable, ...adopted.unreadable];
  if (quarantined.length === 0) await layers.removeOrphans();
  await host.setUpNetwork();
  await sandboxes.adopt(adopted.machines);
  return quarantined;
}
