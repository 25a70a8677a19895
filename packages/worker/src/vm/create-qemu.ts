import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol";
import {
  hasCode,
  identifyProcess,
  killProcess,
  type ProcessIdentity,
  readProcFile,
} from "../process/process-identity.ts";
import { runProgram } from "../process/run-program.ts";
import { monitorProcess } from "./process-monitor.ts";
import { qemuArguments } from "./qemu-arguments.ts";
import { qemuMachine } from "./qemu-machine.ts";
import { connectQmp } from "./qmp-client.ts";
import type { Hypervisor, VirtualMachine } from "./virtual-machine.ts";

const program = "qemu-system-x86_64";
/** File descriptor under which QEMU finds the saved state. */
const stateDescriptor = 3;
/** The parent of a process that has ended hears of it within this time. */
const endMilliseconds = 200;
/** Under memory pressure the host ends a sandbox before the processes that look after all of them. */
const outOfMemoryScore = "500";

/**
 * What QEMU is started through, from the outside in: no core dumps, the
 * slot's network, no way to new privileges. QEMU needs the three capabilities
 * to open its files and become its slot's user; then it has none.
 */
function launcher(namespace: string): string[] {
  return [
    ...["prlimit", "--core=0:0"],
    ...["nsenter", `--net=/run/netns/${namespace}`],
    ...["setpriv", "--no-new-privs", "--inh-caps=-all"],
    "--bounding-set=-all,+setuid,+setgid,+dac_override",
  ];
}

export function createQemu(deps: {
  log: { warn(details: object, message: string): void };
}): Hypervisor {
  return {
    async version() {
      const output = await runProgram(program, ["--version"]);
      return output.split("\n")[0]?.replace("QEMU emulator version ", "").trim() ?? output;
    },

    async start({ launch, namespace, logPath, layersDirectory }) {
      await rm(launch.qmpSocketPath, { force: true });
      const log = await open(logPath, "a", 0o600);
      const state = launch.statePath === null ? undefined : await open(launch.statePath, "r");
      let child: ChildProcess | undefined;
      try {
        child = await spawnDetached([...launcher(namespace), program, ...qemuArguments(launch)], {
          log,
          state,
          workingDirectory: layersDirectory,
        });
        return await takeOver(child);
      } catch (error) {
        const isKilled = child !== undefined && (await wasKilled(child));
        if (child !== undefined) await endProcess(child);
        await rm(launch.qmpSocketPath, { force: true });
        if (isKilled) {
          const message = "The machine was killed while it was started: try again";
          throw new WireError("guest_failed", message, { cause: error });
        }
        const messages = (await readFile(logPath, "utf8")).trim().slice(-1000);
        throw new Error(`QEMU did not start: ${messages}`, { cause: error });
      } finally {
        await log.close();
        await state?.close();
      }

      async function takeOver(started: ChildProcess): Promise<VirtualMachine> {
        const connection = await connectQmp(launch.qmpSocketPath, {
          timeoutSeconds: 20,
          isStarting: () => started.exitCode === null && started.signalCode === null,
        });
        const identity = await identifyProcess(started.pid ?? 0);
        if (identity === undefined) throw new Error("The process has ended");
        await writeFile(`/proc/${identity.pid}/oom_score_adj`, outOfMemoryScore);
        const socketPath = launch.qmpSocketPath;
        const qmp = monitorProcess({ ...deps, process: identity, socketPath, connection });
        const machine = qemuMachine({ process: identity, qmp, access: launch });
        if (launch.cpuCount > 1) await machine.plugCpus(launch.cpuCount);
        if (state !== undefined) await machine.loadState(`fd:${stateDescriptor}`);
        return machine;
      }
    },

    async attach({ process: identity, access }) {
      const found = await identifyProcess(identity.pid);
      if (found?.startTicks !== identity.startTicks) return undefined;
      const socketPath = access.qmpSocketPath;
      const qmp = monitorProcess({ ...deps, process: identity, socketPath, connection: undefined });
      return qemuMachine({ process: identity, qmp, access });
    },

    async killStrays(namePrefix, kept, keptNames) {
      const found = await processesNamed(
        (name) => name.startsWith(namePrefix) && !keptNames.has(name),
      );
      const strays = found.filter(({ pid }) => !kept.has(pid));
      await Promise.all(strays.map(killProcess));
    },
  };
}

/** Starts a process that is nobody's: its own session, so that nothing the worker gets reaches it. */
async function spawnDetached(
  command: readonly string[],
  options: { log: FileHandle; state: FileHandle | undefined; workingDirectory: string },
): Promise<ChildProcess> {
  const { log, state } = options;
  const [file = "", ...rest] = command;
  const child = spawn(file, rest, {
    detached: true,
    cwd: options.workingDirectory,
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: ["ignore", log.fd, log.fd, ...(state === undefined ? [] : [state.fd])],
  });
  await once(child, "spawn");
  child.unref();
  return child;
}

/** Whether somebody else killed it. Its connection tells of the end a moment before its parent hears of it. */
async function wasKilled(child: ChildProcess): Promise<boolean> {
  if (child.exitCode === null && child.signalCode === null) {
    await Promise.race([once(child, "exit"), delay(endMilliseconds)]);
  }
  return child.signalCode === "SIGKILL";
}

/** Returns when it holds nothing any more: another one may be started with the same files. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function processesNamed(isWanted: (name: string) => boolean): Promise<ProcessIdentity[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const commandLine = await readProcFile(`/proc/${pid}/cmdline`).catch((error: unknown) => {
        // The process is ending: it needs no killing.
        if (hasCode(error, "EACCES") || hasCode(error, "EPERM")) return undefined;
        throw error;
      });
      const words = commandLine?.split("\0") ?? [];
      const name = words[words.indexOf("-name") + 1];
      const isOurs = words.includes(program) && name !== undefined && isWanted(name);
      return isOurs ? identifyProcess(pid) : undefined;
    }),
  );
  return found.filter((identity) => identity !== undefined);
}
