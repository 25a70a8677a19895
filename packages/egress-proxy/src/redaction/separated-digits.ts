import { hexadecimal, hexadecimalDigit } from "./entities.ts";
import { carriageReturn, lineFeed, type Places, type View } from "./view.ts";

/**
 * Bytes in hexadecimal, two digits each, with the same byte between any two of
 * them: `73 6b 2d`, `73:6b:2d`. So dumps and fingerprints are written, and Amazon S3
 * writes the request that a signature does not fit.
 */
export interface SeparatedRun {
  /** Where the first pair of digits begins, and the last one ends. */
  readonly from: number;
  readonly to: number;
}

const pairBytes = 3;
/** Bytes that are looked at for a separator and the next one. */
const sampleBytes = 2 * pairBytes;

/**
 * Returns the runs of at least so many pairs in a text, which are more than three. Few bytes are read
 * where there is none: two separators at the distance of pairs may be in a run.
 */
export function separatedRuns(text: Uint8Array, pairsMin: number): SeparatedRun[] {
  const runs: SeparatedRun[] = [];
  const runBytesMin = pairBytes * pairsMin - 1;
  // A run of that length has one sample that is all in it.
  const sampleStep = runBytesMin - sampleBytes + 1;
  for (let at = 0; at + sampleBytes <= text.length; at += sampleStep) {
    for (let phase = 0; phase < pairBytes; phase += 1) {
      const separator = text[at + phase] as number;
      if (separator !== text[at + phase + pairBytes] || hexadecimalDigit(separator) !== -1)
        continue;
      const run = runAround(text, at + phase, separator);
      if (run.to - run.from < runBytesMin) continue;
      runs.push(run);
      at = Math.max(at, run.to - sampleStep);
      break;
    }
  }
  return runs;
}

/** Returns the run that has this separator in it; an empty one when none has. */
function runAround(text: Uint8Array, separatorAt: number, separator: number): SeparatedRun {
  let from = separatorAt;
  while (isPair(text, from - 2)) {
    from -= pairBytes;
    if (text[from] !== separator) break;
  }
  let to = separatorAt + 1;
  while (isPair(text, to)) {
    to += pairBytes;
    if (text[to - 1] !== separator) break;
  }
  return { from: from + 1, to: to - 1 };
}

function isPair(text: Uint8Array, at: number): boolean {
  return at >= 0 && at + 2 <= text.length && hexadecimal(text, at, 2) !== -1;
}

/** Reads the bytes of a run, without line breaks. */
export function readSeparated(text: Uint8Array, { from, to }: SeparatedRun, view: View): void {
  view.ensure((to - from + 1) / pairBytes);
  let length = 0;
  for (let at = from; at < to; at += pairBytes) {
    const byte = hexadecimal(text, at, 2);
    if (byte === lineFeed || byte === carriageReturn) continue;
    view.bytes[length] = byte;
    length += 1;
  }
  view.finish(length);
}

/** Returns the positions of what {@link readSeparated} writes. */
export function separatedPlaces(text: Uint8Array, { from, to }: SeparatedRun): Places {
  const starts = new Int32Array((to - from + 1) / pairBytes);
  const ends = new Int32Array(starts.length);
  let length = 0;
  for (let at = from; at < to; at += pairBytes) {
    const byte = hexadecimal(text, at, 2);
    if (byte === lineFeed || byte === carriageReturn) continue;
    starts[length] = at;
    ends[length] = at + 2;
    length += 1;
  }
  return { starts, ends };
}
