import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { agentPort } from "@opencomputer/protocol/api";
import type { Image } from "../disks/import-image.ts";
import { monitorSocketName } from "../files/host-paths.ts";
import { type AgentClient, createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/guest-bounds.ts";
import type { Slots } from "../network/create-slots.ts";
import { runProgram } from "../process/run-program.ts";
import type { MachineShape } from "../vm/machine-shape.ts";
import type { Hypervisor, VirtualMachine } from "../vm/virtual-machine.ts";
import { makeSocketDirectory } from "./machine.ts";

/** A machine that booted an image, with its own overlay over the image's disk, in a closed slot. */
export interface BootedMachine {
  readonly vm: VirtualMachine;
  readonly agent: AgentClient;
  /** Ends it and frees what it held, except for its disk file. */
  discard(): Promise<void>;
}

/** What boots machines. */
export interface BootParts {
  readonly hypervisor: Hypervisor;
  readonly slots: Slots;
  readonly budget: ByteBudget;
  /** Where the directories of machines' sockets are made. */
  readonly socketDirectory: string;
}

/** Boots an image; the machine runs, and its guest may still be starting. */
export async function bootMachine(
  parts: BootParts,
  options: {
    image: Image;
    shape: MachineShape;
    /** Made here, as an overlay that names the image relatively, from two directories below the data's. */
    diskPath: string;
    directory: string;
  },
): Promise<BootedMachine> {
  const { image, shape, diskPath, directory } = options;
  const id = randomBytes(8).toString("hex");
  await runProgram("qemu-img", [
    ...["create", "-q", "-f", "qcow2", "-F", "raw"],
    ...["-b", `../../images/${image.fingerprint}/base.raw`, diskPath],
  ]);
  const logPath = join(directory, "qemu.log");
  const consoleLogPath = join(directory, "console.log");
  await writeFile(consoleLogPath, "");
  const socketDirectory = join(parts.socketDirectory, id);
  await makeSocketDirectory(socketDirectory);
  const slot = await parts.slots.open();
  try {
    const vm = await parts.hypervisor.start({
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
      budget: parts.budget,
    });
    vm.onEnd(() => void agent.close());
    await vm.resume();
    return {
      vm,
      agent,
      async discard() {
        await agent.close();
        await vm.kill();
        await parts.slots.close(slot);
        await rm(logPath, { force: true });
        await rm(consoleLogPath, { force: true });
        await rm(socketDirectory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await parts.slots.close(slot);
    await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}
