/** How often the use of a sandbox is read. */
export const readingIntervalMilliseconds = 2_000;
const growAbove = 0.8;
const growAfterReadings = 2;
const shrinkBelow = 0.3;
const shrinkAfterReadings = 60_000 / readingIntervalMilliseconds;
/** A smaller size has to leave the use below this part of it. */
const fullAtMost = 0.6;
const mebi = 1024 * 1024;

/** How many readings in a row were above, or below, the thresholds. */
export interface AutoscaleEvidence {
  readonly high: number;
  readonly low: number;
}

export const noEvidence: AutoscaleEvidence = { high: 0, low: 0 };

/**
 * The rule of autoscale. It doubles the memory when more than 80 % is used in
 * two readings in a row, and halves it when less than 30 % is in each reading
 * of a minute, one step at a time between the bounds. After a step it starts
 * counting again. What is halved is at most 60 % full afterwards, so that a
 * steady use never causes both steps in alternation. A size outside of the bounds moves to
 * the nearer one at once, as far as the use permits.
 *
 * `memoryUsedBytes` is reported by the guest; whatever it is, the result is within
 * the bounds.
 */
export function autoscale(
  evidence: AutoscaleEvidence,
  reading: { memoryMB: number; memoryUsedBytes: number },
  bounds: { minMemoryMB: number; maxMemoryMB: number },
): { evidence: AutoscaleEvidence; memoryMB: number } {
  const { memoryMB } = reading;
  const { minMemoryMB, maxMemoryMB } = bounds;
  const usedMB = Math.max(0, reading.memoryUsedBytes) / mebi;
  if (memoryMB < minMemoryMB) return { evidence: noEvidence, memoryMB: minMemoryMB };
  const use = usedMB / memoryMB;
  const next = {
    high: use > growAbove ? evidence.high + 1 : 0,
    low: use < shrinkBelow ? evidence.low + 1 : 0,
  };
  if (memoryMB > maxMemoryMB && usedMB <= maxMemoryMB * fullAtMost) {
    return { evidence: noEvidence, memoryMB: maxMemoryMB };
  }
  if (next.high >= growAfterReadings && memoryMB < maxMemoryMB) {
    return { evidence: noEvidence, memoryMB: Math.min(maxMemoryMB, memoryMB * 2) };
  }
  const half = Math.max(minMemoryMB, Math.ceil(memoryMB / 2));
  if (next.low >= shrinkAfterReadings && half < memoryMB && usedMB <= half * fullAtMost) {
    return { evidence: noEvidence, memoryMB: half };
  }
  return { evidence: next, memoryMB };
}
