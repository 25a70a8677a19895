import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { agentPort } from "@opencomputer/protocol";
import { type AgentClient, createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/byte-budget.ts";
import { monitorSocketName } from "../host/host-paths.ts";
import type { Image } from "../images/import-image.ts";
import type { Slots } from "../network/create-slots.ts";
import { runProgram } from "../process/run-program.ts";
import type { MachineShape } from "../vm/machine-shape.ts";
import type { Hypervisor, VirtualMachine } from "../vm/virtual-machine.ts";
import { makeSocketDirectory } from "./socket-directory.ts";

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
    await makeSocketDirectory(socketDirectory);
    const slot = await deps.slots.open();
    try {
      const vm = await deps.hypervisor.start({
        start: {
          machineId: id,
          slotIndex: slot.index,
          shape,
          imageFingerprint: image.fingerprint,
          kernelCommandLine: image.kernelCommandLine,
          savedDirectory: null,
          disk: { kind: "image", directory: basename(directory) },
        },
        access: { shape, qmpSocketPath: join(socketDirectory, monitorSocketName) },
        cpuCount: 1,
        logPath,
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
