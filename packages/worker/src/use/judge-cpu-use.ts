import { cpuUseRule } from "@opencomputer/protocol/wire";

/** What the process of a machine had taken of the host's CPUs at some moment. */
export interface CpuSample {
  /** Identifies the process: a machine that was replaced is counted from its start. */
  readonly process: string;
  readonly atMilliseconds: number;
  readonly cpuMilliseconds: number;
}

/** When a machine last used the CPU, as of its newest sample. */
export interface CpuUse {
  readonly sample: CpuSample;
  readonly lastUsedAtMilliseconds: number;
}

/**
 * Judges a new sample. An interval counts as use when the machine took at
 * least the rule's share of one CPU in it, on average. The first sample of a
 * process counts as use, since nothing is known of the time before it. A
 * sample that comes too early to be judged changes nothing.
 */
export function judgeCpuUse(previous: CpuUse | undefined, sample: CpuSample): CpuUse {
  if (previous?.sample.process !== sample.process) {
    return { sample, lastUsedAtMilliseconds: sample.atMilliseconds };
  }
  const elapsed = sample.atMilliseconds - previous.sample.atMilliseconds;
  if (elapsed < (cpuUseRule.intervalSeconds * 1000) / 2) return previous;
  const used = sample.cpuMilliseconds - previous.sample.cpuMilliseconds;
  const isUse = used * 100 >= cpuUseRule.percentMin * elapsed;
  return {
    sample,
    lastUsedAtMilliseconds: isUse ? sample.atMilliseconds : previous.lastUsedAtMilliseconds,
  };
}
