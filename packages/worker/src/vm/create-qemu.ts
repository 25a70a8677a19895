import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { WireError } from "@opencomputer/protocol";
import { confined, parseProcessReport } from "../confinement/confinement.ts";
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
import { qemuConfinement } from "./qemu-confinement.ts";
import { qemuMachine } from "./qemu-machine.ts";
import { connectQmp } from "./qmp-client.ts";
import type { Hypervisor, VirtualMachine } from "./virtual-machine.ts";

const program = "qemu-system-x86_64";
/** File descriptor under which QEMU finds the saved state. */
const stateDescriptor = 3;
/** File descriptor to which the id of QEMU's process is written. */
const reportDescriptor = 4;
const reportBytesMax = 4096;
/** What a program's wrapper exits with when SIGKILL ended the program. */
const killedExitCode = 128 + 9;
/** The parent of a process that has ended hears of it within this time. */
const endMilliseconds = 200;
/** Under memory pressure the host ends a sandbox before the processes that look after all of them. */
const outOfMemoryScore = "500";

export function createQemu(deps: {
  log: { warn(details: object, message: string): void };
}): Hypervisor {
  return {
    async version() {
      const output = await runProgram(program, ["--version"]);
      return output.split("\n")[0]?.replace("QEMU emulator version ", "").trim() ?? output;
    },

    async start({ launch, namespace, logPath, disk }) {
      await rm(launch.qmpSocketPath, { force: true });
      const log = await open(logPath, "a", 0o600);
      const state = launch.statePath === null ? undefined : await open(launch.statePath, "r");
      let wrapper: ChildProcess | undefined;
      let identity: ProcessIdentity | undefined;
      try {
        const confinement = qemuConfinement({
          ...{ launch, disk, reportDescriptor },
          networkNamespace: namespace,
        });
        const command = confined([program, ...qemuArguments(launch)], confinement);
        wrapper = await spawnDetached(command, { log, state });
        identity = await reportedProcess(wrapper);
        return await takeOver(wrapper, identity);
      } catch (error) {
        const isKilled = wrapper !== undefined && (await wasKilled(wrapper));
        if (wrapper !== undefined) await endProcess(wrapper, identity);
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

      async function takeOver(
        started: ChildProcess,
        process: ProcessIdentity,
      ): Promise<VirtualMachine> {
        const connection = await connectQmp(launch.qmpSocketPath, {
          timeoutSeconds: 20,
          isStarting: () => started.exitCode === null && started.signalCode === null,
        });
        await writeFile(`/proc/${process.pid}/oom_score_adj`, outOfMemoryScore);
        const socketPath = launch.qmpSocketPath;
        const qmp = monitorProcess({ ...deps, process, socketPath, connection });
        const machine = qemuMachine({ process, qmp, access: launch });
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
  { log, state }: { log: FileHandle; state: FileHandle | undefined },
): Promise<ChildProcess> {
  const [file = "", ...rest] = command;
  const child = spawn(file, rest, {
    detached: true,
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: ["ignore", log.fd, log.fd, state?.fd ?? "ignore", "pipe"],
  });
  await once(child, "spawn");
  child.unref();
  return child;
}

/** @throws {Error} when the program ended before it was confined. */
async function reportedProcess(wrapper: ChildProcess): Promise<ProcessIdentity> {
  const report = wrapper.stdio[reportDescriptor];
  if (!(report instanceof Readable)) throw new Error("The wrapper of QEMU has no report");
  let text = "";
  for await (const chunk of report.setEncoding("utf8")) {
    text += chunk;
    if (text.length > reportBytesMax) throw new Error("The wrapper of QEMU reports too much");
  }
  const identity = text === "" ? undefined : await identifyProcess(parseProcessReport(text));
  if (identity === undefined) throw new Error("The process has ended");
  return identity;
}

/**
 * Whether somebody else killed it: QEMU, or its wrapper. Its connection tells
 * of the end a moment before its parent hears of it.
 */
async function wasKilled(wrapper: ChildProcess): Promise<boolean> {
  if (wrapper.exitCode === null && wrapper.signalCode === null) {
    await Promise.race([once(wrapper, "exit"), delay(endMilliseconds)]);
  }
  return wrapper.signalCode === "SIGKILL" || wrapper.exitCode === killedExitCode;
}

/** Returns when it holds nothing any more: another one may be started with the same files. */
async function endProcess(
  wrapper: ChildProcess,
  identity: ProcessIdentity | undefined,
): Promise<void> {
  if (identity !== undefined) await killProcess(identity);
  if (wrapper.exitCode !== null || wrapper.signalCode !== null) return;
  const ended = once(wrapper, "exit");
  // With the whole group: QEMU may have started without having been reported.
  if (identity === undefined && wrapper.pid !== undefined) process.kill(-wrapper.pid, "SIGKILL");
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
      const isOurs = words[0] === program && name !== undefined && isWanted(name);
      return isOurs ? identifyProcess(pid) : undefined;
    }),
  );
  return found.filter((identity) => identity !== undefined);
}
