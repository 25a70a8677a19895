import { readMemory, resetPeakMemory } from "@opencomputer/harness";
import type { Figure } from "../figure.ts";
import { describeRate, measureDownloadRate, warmUp } from "./clients/download-rate.ts";
import { openDownloads } from "./clients/downloads.ts";
import { downloadKinds } from "./peers/bodies.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions, unknownValue, usedSecret } from "./setup/sessions.ts";
import { describeGrowth } from "./transfer-figures.ts";

const rateMin = 100;
const descriptions = {
  text: "lines of words",
  json: "JSON in JSON, full of escapes",
  binary: "random bytes",
} as const;

/**
 * CPU time and memory of the proxy for the search of 1 GiB, compared with the same
 * download by a sandbox without secrets.
 */
export async function measureDownloads(onRound: (text: string) => void): Promise<Figure[]> {
  const searched = sessions.withOneSecret();
  const unsearched = sessions.withoutSecrets();
  const path = await startMeasuredPath({
    origin: "body-origin",
    originSettings: { value: usedSecret.value, otherValue: unknownValue },
    sessions: [searched, unsearched],
  });
  const { pid } = path.proxy;
  const downloads = openDownloads(path.throughProxy(searched));
  const floorDownloads = openDownloads(path.throughProxy(unsearched));
  try {
    for (const kind of downloadKinds) {
      await warmUp(floorDownloads, kind);
      await warmUp(downloads, kind);
    }
    await resetPeakMemory(pid);
    const before = await readMemory(pid);
    const figures: Figure[] = [];
    for (const kind of downloadKinds) {
      onRound(descriptions[kind]);
      const floor = await measureDownloadRate(floorDownloads, kind, pid);
      const rate = await measureDownloadRate(downloads, kind, pid);
      figures.push({
        name: `1 GiB response, searched: ${descriptions[kind]}`,
        measured: describeRate(rate),
        floor: `${describeRate(floor)} (not searched)`,
        result: `${(rate / floor).toFixed(2)} × the floor`,
        mustReach: `≥ ${describeRate(rateMin)}`,
        reached: rate >= rateMin,
      });
    }
    const growth = (await readMemory(pid)).peak - before.now;
    return [...figures, describeGrowth("these responses", growth, before.now)];
  } finally {
    downloads.close();
    floorDownloads.close();
    await path.stop();
  }
}
