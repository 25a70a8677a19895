/** The percentile of the samples by the nearest rank; `share` is between 0 and 1. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((left, right) => left - right);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError("A percentile needs at least one sample");
  return value;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** The ratio of each sample to the floor's sample of the same round. */
export function pairedRatios(samples: readonly number[], floor: readonly number[]): number[] {
  if (samples.length !== floor.length) {
    throw new RangeError(
      `${samples.length} samples require as many samples of the floor, got ${floor.length}`,
    );
  }
  return samples.map((sample, round) => sample / (floor[round] ?? Number.NaN));
}
