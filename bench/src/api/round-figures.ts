import { type RunningInstallation, runRounds } from "@opencomputer/harness";
import type { Figure } from "../figure.ts";

const warmUpRounds = 20;
const rounds = 200;
const growthBytesMax = 32 * 1024 ** 2;
const judgedParts = ["control-plane", "worker", "egress-proxy"];

/** 200 sandboxes in sequence: what remains of them, and the growth of the memory of the service. */
export async function measureRounds(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const { leaks, runningRows, memory } = await runRounds(installation, {
    warmUpRounds,
    rounds,
    onRound: (round) => {
      if (round % 20 === 0) onRound(`round ${round} of ${rounds}`);
    },
  });
  const left = [...leaks, ...(runningRows === 0 ? [] : [`rows: ${runningRows}`])];
  return [
    {
      name: `${rounds} sandboxes created, used and killed, one after the other: what is left`,
      measured: left.length === 0 ? "nothing" : left.join("; "),
      floor: "—",
      result: `${left.length} leaks`,
      mustReach: "no process, namespace, filter, file, descriptor, row",
      reached: left.length === 0,
    },
    ...judgedParts.map((part): Figure => {
      const { before, after } = memory[part] ?? { before: Number.NaN, after: Number.NaN };
      const growth = after - before;
      return {
        name: `memory of the ${part} after them: RSS against that after ${warmUpRounds}`,
        measured: `${inMebi(after)} against ${inMebi(before)} MiB`,
        floor: "—",
        result: `${inMebi(growth)} MiB`,
        mustReach: `≤ ${inMebi(growthBytesMax)} MiB`,
        reached: growth <= growthBytesMax,
      };
    }),
  ];
}

function inMebi(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
