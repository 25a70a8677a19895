import { open, readFile, rm } from "node:fs/promises";
import { WireError } from "@opencomputer/protocol/api";
import { isAlive, type ProcessIdentity } from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";
import { monitorProcess } from "../qmp/process-monitor.ts";
import { connectQmp } from "../qmp/qmp-client.ts";
import type { MachineEnd, MachineProcesses } from "./machine-start.ts";
import { qemuMachine } from "./qemu-machine.ts";
import type { Hypervisor, VirtualMachine } from "./virtual-machine.ts";

const program = "qemu-system-x86_64";
/** File descriptor under which QEMU finds the saved state. */
const stateDescriptor = 3;

export function createQemu(deps: {
  host: MachineProcesses;
  log: { warn(details: object, message: string): void };
}): Hypervisor {
  const { host } = deps;
  const end = (process: ProcessIdentity): Promise<MachineEnd> => host.endMachine(process);

  return {
    async version() {
      const output = await runProgram(program, ["--version"]);
      return output.split("\n")[0]?.replace("QEMU emulator version ", "").trim() ?? output;
    },

    async start({ start, access, cpuCount, logPath }) {
      const socketPath = access.qmpSocketPath;
      await rm(socketPath, { force: true });
      await (await open(logPath, "a", 0o600)).close();
      let process: ProcessIdentity | undefined;
      try {
        process = await host.startMachine(start);
        return await takeOver(process);
      } catch (error) {
        const { wasKilled } = process === undefined ? { wasKilled: false } : await end(process);
        await rm(socketPath, { force: true });
        if (wasKilled) {
          const message = "The machine was killed while it was starting: try again";
          throw new WireError("guest_failed", message, { cause: error });
        }
        const messages = (await readFile(logPath, "utf8")).trim().slice(-1000);
        throw new Error(`QEMU did not start: ${messages}`, { cause: error });
      }

      async function takeOver(started: ProcessIdentity): Promise<VirtualMachine> {
        let isStarting = true;
        const connection = await connectQmp(socketPath, {
          timeoutSeconds: 20,
          isStarting: () => {
            void isAlive(started).then((alive) => {
              isStarting = alive;
            });
            return isStarting;
          },
        });
        const qmp = monitorProcess({ ...deps, process: started, socketPath, connection });
        const machine = qemuMachine({ process: started, qmp, access, end });
        if (cpuCount > 1) await machine.plugCpus(cpuCount);
        if (start.savedDirectory !== null) await machine.loadState(`fd:${stateDescriptor}`);
        return machine;
      }
    },

    async attach({ process, access }) {
      if (!(await isAlive(process))) return undefined;
      const socketPath = access.qmpSocketPath;
      const qmp = monitorProcess({ ...deps, process, socketPath, connection: undefined });
      return qemuMachine({ process, qmp, access, end });
    },

    async endOthers(kept) {
      await host.endOtherMachines(kept);
    },
  };
}
