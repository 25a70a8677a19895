/** Samples of what is measured and of its floor, round by round. */
export interface PairedSamples<Sample> {
  readonly measured: Sample[];
  readonly floor: Sample[];
}

/**
 * Measures something and its floor in turns, so that both see the same
 * machine. Which of them comes first alternates: the second one may find
 * caches and clocks as the first one left them.
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
