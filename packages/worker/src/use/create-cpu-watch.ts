import { cpuUseRule } from "@opencomputer/protocol/wire";
import { cpuMillisecondsOf } from "../process/cpu-time.ts";
import { type ProcessIdentity, readProcFile } from "../process/process-identity.ts";
import { type CpuUse, judgeCpuUse } from "./judge-cpu-use.ts";

/** Samples the machines of running sandboxes, and knows when each last used the CPU. */
export interface CpuWatch {
  /** Undefined for a sandbox that has not been sampled since it began to run. */
  lastUsedAt(sandboxId: string): Date | undefined;
  /** Samples every machine now. */
  sample(): Promise<void>;
  close(): void;
}

/** @param list The processes of the sandboxes that run now. */
export function createCpuWatch(options: {
  list: () => readonly { sandboxId: string; process: ProcessIdentity }[];
  readStat?: (pid: number) => Promise<string | undefined>;
  now?: () => number;
  onFailure: (error: unknown) => void;
}): CpuWatch {
  const { list, now = Date.now, onFailure } = options;
  const readStat = options.readStat ?? ((pid) => readProcFile(`/proc/${pid}/stat`));
  let uses = new Map<string, CpuUse>();

  async function sample(): Promise<void> {
    const sampled = await Promise.all(
      list().map(async ({ sandboxId, process }) => {
        const cpuMilliseconds = cpuMillisecondsOf((await readStat(process.pid)) ?? "");
        if (cpuMilliseconds === undefined) return [];
        const found = {
          process: `${process.pid} ${process.startTicks}`,
          atMilliseconds: now(),
          cpuMilliseconds,
        };
        return [[sandboxId, judgeCpuUse(uses.get(sandboxId), found)] as const];
      }),
    );
    uses = new Map(sampled.flat());
  }

  const timer = setInterval(() => sample().catch(onFailure), cpuUseRule.intervalSeconds * 1000);
  timer.unref();

  return {
    lastUsedAt(sandboxId) {
      const use = uses.get(sandboxId);
      return use === undefined ? undefined : new Date(use.lastUsedAtMilliseconds);
    },
    sample,
    close: () => clearInterval(timer),
  };
}
