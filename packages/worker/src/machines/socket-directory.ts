import { chmod, mkdir } from "node:fs/promises";

/** New sockets there have the worker's group, which the machine's process is in too. */
const sharedByGroup = 0o2770;

/** The directory of a machine's sockets, in which the worker and the machine's process make them. */
export async function makeSocketDirectory(directory: string): Promise<void> {
  await mkdir(directory);
  await chmod(directory, sharedByGroup);
}
