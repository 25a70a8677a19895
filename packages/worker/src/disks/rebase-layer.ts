import { join } from "node:path";
import { confined, inPlace, type ProgramUser } from "../process/confinement.ts";
import { runProgram } from "../process/run-program.ts";
import { basePathOf, type Disk, layerFileName } from "./create-layers.ts";

const timeoutSeconds = 3600;

/**
 * Makes a layer, a copy of the disk's newest one, alone have what all layers of
 * the disk have. Code that broke out of a guest may have written the headers of
 * its layers: they are read where there are no other files of the host, by a
 * user that could read none.
 */
export async function rebaseLayer(options: {
  directories: { layers: string; golden: string; images: string };
  user: ProgramUser;
  layerId: string;
  disk: Disk;
}): Promise<void> {
  const { directories, user, layerId, disk } = options;
  const pathOf = (id: string) => join(directories.layers, layerFileName(id));
  const command = [
    ...["qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "qcow2"],
    ...["-b", basePathOf(disk), pathOf(layerId)],
  ];
  const [program = "", ...programArguments] = confined(command, {
    mounts: [
      ...[directories.golden, directories.images].map((shared) => inPlace(shared, "read")),
      ...disk.layers.map((id) => inPlace(pathOf(id), "read")),
      inPlace(pathOf(layerId), "write"),
    ],
    workingDirectory: directories.layers,
    environment: {},
    user,
    networkNamespace: null,
    endsWithCaller: true,
    reportDescriptor: null,
  });
  await runProgram(program, programArguments, { name: "qemu-img", timeoutSeconds });
}
