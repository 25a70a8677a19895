import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

/** How the worker started a machine, to start another one like it. */
export const machineTemplateSchema = z.object({
  /** All arguments of QEMU. */
  command: z.array(z.string()).min(1),
  /** The saved state that is loaded, and the empty disk that is copied. */
  statePath: z.string(),
  overlayPath: z.string(),
});
export type MachineTemplate = z.infer<typeof machineTemplateSchema>;

/** Reads the template from a running machine. */
export async function readMachineTemplate(pid: number): Promise<MachineTemplate> {
  const command = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
  const memoryArgument = command.find((argument) => argument.includes('"mem-path"'));
  const { "mem-path": memoryPath } = z
    .object({ "mem-path": z.string() })
    .parse(JSON.parse(memoryArgument ?? "{}"));
  return {
    command,
    statePath: join(dirname(memoryPath), "state"),
    overlayPath: join(dirname(memoryPath), "overlay.qcow2"),
  };
}

/** The same arguments with another disk and monitor socket. */
export function twinCommand(
  template: MachineTemplate,
  { diskPath, socketPath }: { diskPath: string; socketPath: string },
): string[] {
  const command = template.command.map((argument) => {
    if (!argument.startsWith("{") || !argument.includes('"driver":"qcow2"')) return argument;
    const blockDevice = z
      .looseObject({ file: z.looseObject({ filename: z.string() }) })
      .parse(JSON.parse(argument));
    return JSON.stringify({ ...blockDevice, file: { ...blockDevice.file, filename: diskPath } });
  });
  command[command.indexOf("-qmp") + 1] = `unix:${socketPath},server=on,wait=off`;
  return command;
}
