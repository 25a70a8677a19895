import { join } from "node:path";

/** The paths below the data and the runtime directory of an installation. */
export function hostPaths({
  dataDirectory,
  runtimeDirectory,
}: {
  dataDirectory: string;
  runtimeDirectory: string;
}) {
  return {
    /** Written by the worker. */
    machines: join(dataDirectory, "worker/machines"),
    layers: join(dataDirectory, "worker/layers"),
    hibernated: join(dataDirectory, "worker/hibernated"),
    checkpoints: join(dataDirectory, "worker/checkpoints"),
    golden: join(dataDirectory, "golden"),
    images: join(dataDirectory, "images"),
    sockets: join(runtimeDirectory, "machines"),
    /** Written by root: for each machine, hard links to the layers that it may open, on the file system of the layers. */
    disks: join(dataDirectory, "worker/disks"),
  };
}
export type HostPaths = ReturnType<typeof hostPaths>;

export const monitorSocketName = "qmp";
