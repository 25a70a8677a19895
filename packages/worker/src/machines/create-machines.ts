import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { agentPort, limits } from "@opencomputer/protocol";
import type { Cgroups } from "../cgroups/create-cgroups.ts";
import { readJsonFile, writeJsonFile } from "../files/write-json-file.ts";
import type { GoldenSnapshot } from "../golden/golden-snapshot.ts";
import { openGolden } from "../golden/golden-snapshot.ts";
import { type AgentClient, createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/byte-budget.ts";
import { type Image, openImage } from "../images/import-image.ts";
import type { Slots } from "../network/create-slots.ts";
import type { Slot } from "../network/slot.ts";
import { hasCode } from "../process/process-identity.ts";
import type { Accelerator, QemuLaunch } from "../vm/qemu-arguments.ts";
import type { Hypervisor, MachineSize, VirtualMachine } from "../vm/virtual-machine.ts";
import { type MachineRecord, machineRecordSchema } from "./machine-record.ts";

/** A machine restored from a golden snapshot, with all that it holds of the host. */
export interface Machine {
  readonly id: string;
  readonly slot: Slot;
  /** Undefined for one that had ended before its worker came back. */
  readonly vm: VirtualMachine | undefined;
  readonly agent: AgentClient;
  /** As it is on the disk. */
  record: MachineRecord;
}

export interface Machines {
  /** Restores a machine in a closed slot. It stands paused. */
  restore(golden: GoldenSnapshot, accelerator: Accelerator): Promise<Machine>;
  /** Replaces a machine's record. */
  save(machine: Machine, record: MachineRecord): Promise<void>;
  /** Bounds what the machine takes of the host. */
  limit(machine: Machine, size: MachineSize, isBackground: boolean): Promise<void>;
  /** Ends a machine and removes all that it held. Done already is no error. */
  discard(machine: Machine): Promise<void>;
  /** The end of what the machine's process printed. */
  lastMessages(machine: Machine): Promise<string>;
  /** Empties a log that has grown over its limit. */
  trimLog(machine: Machine): Promise<void>;
  /**
   * The sandboxes' machines of an earlier worker, whether they still run or
   * have ended. Everything else that the installation has on the host and
   * that no sandbox owns is removed.
   */
  adopt(): Promise<Machine[]>;
}

/** What QEMU takes beside the guest's memory: its own, translated code, and disk pages in flight. */
const overheadMemoryMB = 512;
/** CPU time beside the guest's CPUs, for disk and network. */
const overheadCpuPercent = 50;

export function createMachines(deps: {
  hypervisor: Hypervisor;
  slots: Slots;
  cgroups: Cgroups;
  budget: ByteBudget;
  machineNamePrefix: string;
  directories: { machines: string; golden: string; images: string; sockets: string };
  log: { warn(details: object, message: string): void };
}): Machines {
  const { hypervisor, slots, cgroups, directories } = deps;
  const directoryOf = (id: string) => join(directories.machines, id);
  const recordPath = (id: string) => join(directoryOf(id), "machine.json");
  const socketPath = (id: string) => join(directories.sockets, `${id}.qmp`);
  const logPath = (id: string) => join(directoryOf(id), "qemu.log");

  /** Calls to a machine that has ended fail at once: nobody is there to refuse them. */
  function machineOf(parts: Omit<Machine, "agent">): Machine {
    const agent = createAgentClient({
      origin: `http://${parts.slot.slotAddress}:${agentPort}`,
      budget: deps.budget,
    });
    parts.vm?.onEnd(() => void agent.close());
    return { ...parts, agent };
  }

  function launchOf(options: {
    id: string;
    slot: Slot;
    golden: GoldenSnapshot;
    image: Image;
    accelerator: Accelerator;
  }): QemuLaunch {
    const { id, slot, golden, image, accelerator } = options;
    return {
      name: `${deps.machineNamePrefix}${id}`,
      shape: { accelerator, baseMemoryMB: golden.baseMemoryMB },
      kernel: { path: image.kernelPath, commandLine: image.kernelCommandLine },
      initramfsPath: image.initramfsPath,
      memory: { path: golden.memoryPath, shared: false },
      diskPath: join(directoryOf(id), "disk.qcow2"),
      qmpSocketPath: socketPath(id),
      userId: slot.userId,
      incoming: true,
    };
  }

  async function removeHeld(id: string, slot: Slot): Promise<void> {
    await slots.close(slot);
    await cgroups.remove(id);
    await rm(socketPath(id), { force: true });
    await rm(directoryOf(id), { recursive: true, force: true });
  }

  async function adoptOne(id: string): Promise<Machine | undefined> {
    const record = await readJsonFile(recordPath(id), machineRecordSchema);
    if (record === undefined || record.sandbox === null) return undefined;
    const golden = await openGolden(directories.golden, record.goldenFingerprint);
    if (golden === undefined) throw new Error(`Its golden snapshot is gone`);
    const image = await openImage(directories.images, golden.imageFingerprint);
    const slot = slots.adopt(record.slotIndex);
    const { accelerator } = record;
    const launch = launchOf({ id, slot, golden, image, accelerator });
    const vm = await hypervisor.attach({ process: record.process, launch });
    return machineOf({ id, slot, vm, record });
  }

  return {
    async restore(golden, accelerator) {
      const id = randomBytes(8).toString("hex");
      const image = await openImage(directories.images, golden.imageFingerprint);
      await mkdir(directoryOf(id), { recursive: true });
      const slot = await slots.open();
      let vm: VirtualMachine | undefined;
      try {
        const launch = launchOf({ id, slot, golden, image, accelerator });
        await copyFile(golden.overlayPath, launch.diskPath);
        await chmod(launch.diskPath, 0o600);
        vm = await hypervisor.start({
          launch,
          namespace: slot.name,
          logPath: logPath(id),
          statePath: golden.statePath,
        });
        const record: MachineRecord = {
          id,
          process: vm.process,
          slotIndex: slot.index,
          goldenFingerprint: golden.fingerprint,
          accelerator,
          sandbox: null,
          isStarted: false,
        };
        await cgroups.add(id, vm.process.pid);
        return machineOf({ id, slot, vm, record });
      } catch (error) {
        await vm?.kill();
        await removeHeld(id, slot);
        throw error;
      }
    },

    async save(machine, record) {
      await writeJsonFile(recordPath(machine.id), record);
      machine.record = record;
    },

    async limit(machine, size, isBackground) {
      await cgroups.limit(machine.id, {
        cpuPercent: size.cpuCount * 100 + overheadCpuPercent,
        memoryMB: size.memoryMB + overheadMemoryMB,
        isBackground,
      });
    },

    async discard(machine) {
      await machine.agent.close();
      await machine.vm?.kill();
      await removeHeld(machine.id, machine.slot);
    },

    async lastMessages(machine) {
      const file = await open(logPath(machine.id), "r");
      try {
        const { size } = await file.stat();
        const tail = Buffer.alloc(Math.min(size, 2000));
        await file.read(tail, 0, tail.length, size - tail.length);
        return tail.toString("utf8").trim();
      } finally {
        await file.close();
      }
    },

    async trimLog(machine) {
      const { size } = await stat(logPath(machine.id));
      if (size > limits.machineLogBytesMax) await truncate(logPath(machine.id));
    },

    async adopt() {
      const ids = await readdir(directories.machines).catch((error: unknown) => {
        if (hasCode(error, "ENOENT")) return [];
        throw error;
      });
      const adopted = new Map<string, Machine>();
      for (const id of ids) {
        try {
          const machine = await adoptOne(id);
          if (machine !== undefined) adopted.set(id, machine);
        } catch (error) {
          deps.log.warn(
            { machineId: id, err: error },
            "A machine cannot be taken over; it is removed",
          );
        }
      }
      const machines = [...adopted.values()];
      const pids = machines.flatMap((machine) => machine.vm?.process.pid ?? []);
      await hypervisor.killStrays(deps.machineNamePrefix, new Set(pids));
      await slots.closeStrays();
      await cgroups.removeStrays(new Set(adopted.keys()));
      for (const id of ids.filter((found) => !adopted.has(found))) {
        await rm(directoryOf(id), { recursive: true, force: true });
      }
      const sockets = await readdir(directories.sockets);
      for (const name of sockets.filter((found) => !adopted.has(found.split(".")[0] ?? ""))) {
        await rm(join(directories.sockets, name), { force: true });
      }
      return machines;
    },
  };
}
