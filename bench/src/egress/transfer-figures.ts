import { readMemory, resetPeakMemory } from "@opencomputer/harness";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { openDownloads } from "./clients/downloads.ts";
import { uploadMilliseconds } from "./clients/upload.ts";
import { relayName } from "./request-figures.ts";
import { startMeasuredPath, type Target } from "./setup/measured-path.ts";
import { sessions, unknownValue, usedSecret } from "./setup/sessions.ts";

const rounds = 4;
const mebibyte = 1024 ** 2;
const transferBytes = 1024 * mebibyte;
const warmUpBytes = 64 * mebibyte;
const growthBytesMax = 32 * mebibyte;
const ratioMin = 0.6;

/** Rate of 1 GiB in each direction compared with the relay, and growth of the proxy's memory meanwhile. */
export async function measureTransfers(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({
    origin: "body-origin",
    originSettings: { value: usedSecret.value, otherValue: unknownValue },
    sessions: [session],
  });
  const { pid } = path.proxy;
  try {
    const figures: Figure[] = [];
    for (const [name, milliseconds] of transfers) {
      const rate = async (target: Target) =>
        transferBytes / mebibyte / ((await milliseconds(target, transferBytes)) / 1000);
      await milliseconds(path.throughProxy(session), warmUpBytes);
      await milliseconds(path.throughRelay(session), warmUpBytes);
      await resetPeakMemory(pid);
      const before = await readMemory(pid);
      const { measured, floor } = await measureInTurns({
        rounds,
        measured: () => rate(path.throughProxy(session)),
        floor: () => rate(path.throughRelay(session)),
        onRound: (text) => onRound(`${name}, ${text}`),
      });
      figures.push(
        describeRatio(
          `1 GiB ${name} of lines of words through the proxy`,
          { measured, floor },
          { unit: "MiB/s", floorName: relayName, bound: { atLeast: ratioMin } },
        ),
        describeGrowth(`these ${name}s`, (await readMemory(pid)).peak - before.now, before.now),
      );
    }
    return figures;
  } finally {
    await path.stop();
  }
}

const transfers = [
  ["upload", uploadMilliseconds],
  [
    "download",
    async (target: Target, bytes: number) => {
      const downloads = openDownloads(target);
      try {
        return await downloads.milliseconds("text", bytes);
      } finally {
        downloads.close();
      }
    },
  ],
] as const;

/** The growth of the proxy's memory during transfers of 1 GiB. */
export function describeGrowth(during: string, growth: number, before: number): Figure {
  return {
    name: `growth of the proxy's memory during ${during}`,
    measured: `${(growth / mebibyte).toFixed(1)} MiB over ${(before / mebibyte).toFixed(0)} MiB`,
    floor: "—",
    result: `${(growth / mebibyte).toFixed(1)} MiB`,
    mustReach: `≤ ${growthBytesMax / mebibyte} MiB`,
    reached: growth <= growthBytesMax,
  };
}
