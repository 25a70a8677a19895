import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentPort } from "@opencomputer/protocol";
import { inPlace } from "../confinement/confinement.ts";
import { type AgentClient, createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/byte-budget.ts";
import type { Image } from "../images/import-image.ts";
import type { Slots } from "../network/create-slots.ts";
import { runProgram } from "../process/run-program.ts";
import type { MachineShape } from "../vm/machine-shape.ts";
import type { Hypervisor, VirtualMachine } from "../vm/virtual-machine.ts";
import { makeTraversable } from "./machine-files.ts";

/** A machine that boots the image on an overlay of its own, in a closed slot. */
export interface BootedMachine {
  readonly vm: VirtualMachine;
  readonly agent: AgentClient;
  /** Ends it and frees what it held, but for its disk file. */
  discard(): Promise<void>;
}

export type BootMachine = (options: {
  image: Image;
  shape: MachineShape;
  /** Made here, as an overlay that names the image relatively, from two directories below the data's. */
  diskPath: string;
  directory: string;
}) => Promise<BootedMachine>;

export function createBootMachine(deps: {
  hypervisor: Hypervisor;
  slots: Slots;
  budget: ByteBudget;
  machineNamePrefix: string;
  socketDirectory: string;
}): BootMachine {
  return async ({ image, shape, diskPath, directory }) => {
    const id = randomBytes(8).toString("hex");
    await runProgram("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-F", "raw"],
      ...["-b", `../../images/${image.fingerprint}/base.raw`, diskPath],
    ]);
    const logPath = join(directory, "qemu.log");
    const consoleLogPath = join(directory, "console.log");
    await writeFile(consoleLogPath, "");
    const socketDirectory = join(deps.socketDirectory, id);
    await makeTraversable(socketDirectory);
    const slot = await deps.slots.open();
    try {
      const vm = await deps.hypervisor.start({
        namespace: slot.name,
        logPath,
        disk: {
          mounts: [
            inPlace(diskPath, "write"),
            inPlace(consoleLogPath, "write"),
            inPlace(image.diskPath, "read"),
          ],
          directory,
        },
        launch: {
          name: `${deps.machineNamePrefix}${id}`,
          shape,
          kernel: { path: image.kernelPath, commandLine: image.kernelCommandLine },
          initramfsPath: image.initramfsPath,
          memoryPath: null,
          cpuCount: 1,
          diskPath,
          qmpSocketPath: join(socketDirectory, "qmp"),
          userId: slot.userId,
          statePath: null,
          consoleLogPath,
        },
      });
      const agent = createAgentClient({
        origin: `http://${slot.slotAddress}:${agentPort}`,
        budget: deps.budget,
      });
      vm.onEnd(() => void agent.close());
      await vm.resume();
      return {
        vm,
        agent,
        async discard() {
          await agent.close();
          await vm.kill();
          await deps.slots.close(slot);
          await rm(logPath, { force: true });
          await rm(consoleLogPath, { force: true });
          await rm(socketDirectory, { recursive: true, force: true });
        },
      };
    } catch (error) {
      await deps.slots.close(slot);
      await rm(socketDirectory, { recursive: true, force: true });
      throw error;
    }
  };
}
