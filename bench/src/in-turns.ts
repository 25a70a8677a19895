/** Samples of a measurement and of its floor, in the order of the rounds. */
export interface PairedSamples<Sample> {
  readonly measured: Sample[];
  readonly floor: Sample[];
}

/**
 * Alternates between a measurement and its floor, so that both run under the
 * same conditions. The order also alternates, because the first one affects
 * caches and clock rates of the second.
 */
export async function measureInTurns<Sample>({
  rounds,
  measured,
  floor,
  onRound,
}: {
  rounds: number;
  measured: () => Promise<Sample>;
  floor: () => Promise<Sample>;
  onRound?: (text: string) => void;
}): Promise<PairedSamples<Sample>> {
  const samples: PairedSamples<Sample> = { measured: [], floor: [] };
  for (let round = 1; round <= rounds; round += 1) {
    onRound?.(`round ${round} of ${rounds}`);
    if (round % 2 === 0) samples.measured.push(await measured());
    samples.floor.push(await floor());
    if (round % 2 === 1) samples.measured.push(await measured());
  }
  return samples;
}
