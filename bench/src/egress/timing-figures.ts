import { describeSamples, type Figure } from "../figure.ts";
import { median, pairedRatios } from "../statistics.ts";
import { type Downloads, openDownloads } from "./clients/downloads.ts";
import { bodyBytes, hostilePatterns } from "./peers/bodies.ts";
import { encodingNames } from "./peers/encodings.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions, unknownValue, usedSecret } from "./setup/sessions.ts";

const rounds = 200;
const warmUpRounds = 5;
const hostileKinds = Object.keys(hostilePatterns);

/**
 * Whether the time of a response of 1 MiB reveals how much of it matches a value,
 * in any encoding, and how long the worst known response takes.
 */
export async function measureTiming(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({
    origin: "body-origin",
    originSettings: { value: usedSecret.value, otherValue: unknownValue },
    sessions: [session],
  });
  const downloads = openDownloads(path.throughProxy(session));
  try {
    for (let round = 0; round < warmUpRounds; round += 1) await measureRound(downloads, round);
    const samples = new Map<string, number[]>();
    for (let round = 1; round <= rounds; round += 1) {
      onRound(`round ${round} of ${rounds}`);
      for (const [kind, milliseconds] of await measureRound(downloads, round)) {
        samples.set(kind, [...(samples.get(kind) ?? []), milliseconds]);
      }
    }
    const of = (kind: string) => samples.get(kind) ?? [];
    return [describePrefixes(of), describeHostile(of)];
  } finally {
    downloads.close();
    await path.stop();
  }
}

type SamplesOf = (kind: string) => number[];

/** Each kind once; the two kinds of a pair follow each other, in alternating order. */
async function measureRound(downloads: Downloads, round: number): Promise<Map<string, number>> {
  const pairs = encodingNames.flatMap((encoding) => [
    [`right.${encoding}`, `wrong.${encoding}`],
    [`random.${encoding}`, `otherRandom.${encoding}`],
  ]);
  const milliseconds = new Map<string, number>();
  for (const kind of [...pairs, hostileKinds].flatMap((kinds) =>
    round % 2 === 0 ? kinds : kinds.toReversed(),
  )) {
    milliseconds.set(kind, await downloads.milliseconds(kind, bodyBytes));
  }
  return milliseconds;
}

function describePrefixes(of: SamplesOf): Figure {
  const prefixes = largestDeviation(of, "right", "wrong");
  const random = largestDeviation(of, "random", "otherRandom");
  return {
    name: "time of a 1 MiB response full of a value but for its last byte, against one full of a value unknown to the proxy: largest difference of 5 encodings",
    measured: `${prefixes.percent.toFixed(1)} % (${prefixes.encoding})`,
    floor: `${random.percent.toFixed(1)} % (random against random, ${random.encoding})`,
    result:
      prefixes.percent <= random.percent
        ? "within the floor"
        : `floor + ${(prefixes.percent - random.percent).toFixed(1)} %`,
    mustReach: "reported",
    reached: null,
  };
}

function largestDeviation(of: SamplesOf, one: string, other: string) {
  const deviations = encodingNames.map((encoding) => {
    const ratios = pairedRatios(of(`${one}.${encoding}`), of(`${other}.${encoding}`));
    return { encoding, percent: Math.abs(median(ratios) - 1) * 100 };
  });
  return deviations.reduce((most, next) => (next.percent > most.percent ? next : most));
}

function describeHostile(of: SamplesOf): Figure {
  const random = of("random.plain");
  const ratioOf = (kind: string) => median(pairedRatios(of(kind), random));
  const worst = hostileKinds.reduce((most, next) => (ratioOf(next) > ratioOf(most) ? next : most));
  const pattern = Object.entries(hostilePatterns).find(([name]) => name === worst)?.[1];
  return {
    name: `time of the worst 1 MiB response known, of ${hostileKinds.length}`,
    measured: `${describeSamples(of(worst), "ms")} (\`${pattern}\` repeated)`,
    floor: `${describeSamples(random, "ms")} (random text)`,
    result: `${ratioOf(worst).toFixed(2)} × the floor`,
    mustReach: "reported",
    reached: null,
  };
}
