import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { percentile } from "../statistics.ts";
import { measureLatencies } from "./clients/latencies.ts";
import type { CrowdSettings } from "./peers/message.ts";
import { requestLoad } from "./request-figures.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions } from "./setup/sessions.ts";

const rounds = 10;
const ratioMax = 2;
const requests = { head: requestLoad.head, count: 500, pauseMilliseconds: 2 };

const crowds = [
  { name: "300 idle connections of another sandbox", kind: "idle", count: 300 },
  {
    name: "a sandbox that opens 10,000 connections, as fast as its packet filter permits",
    kind: "opening",
    count: 10_000,
  },
] as const;

/** The p99 of one sandbox's requests while another one has too many connections, compared with quiet. */
export async function measureNeighbours(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const crowded = sessions.withoutSecrets();
  const path = await startMeasuredPath({ origin: "origin", sessions: [session, crowded] });
  const p99 = async () =>
    percentile(await measureLatencies(path.throughProxy(session), requests), 0.99);
  const beside = async (crowd: CrowdSettings) => {
    const end = await startCrowd(crowd);
    try {
      return await p99();
    } finally {
      await end();
    }
  };
  try {
    const figures: Figure[] = [];
    for (const { name, kind, count } of crowds) {
      const target = path.throughProxy(crowded);
      const { measured, floor } = await measureInTurns({
        rounds,
        measured: () => beside({ ...target, kind, count, request: requestLoad.head }),
        floor: p99,
        onRound: (text) => onRound(`${name}, ${text}`),
      });
      figures.push(
        describeRatio(
          `p99 of a sandbox's requests beside ${name}`,
          { measured, floor },
          { unit: "ms", floorName: "quiet", bound: { atMost: ratioMax } },
        ),
      );
    }
    return figures;
  } finally {
    await path.stop();
  }
}

/** Starts a process with many connections. Resolves to the function that ends it. */
async function startCrowd(settings: CrowdSettings): Promise<() => Promise<void>> {
  const child = fork(fileURLToPath(new URL("./peers/crowd.js", import.meta.url)));
  child.send(settings);
  await once(child, "message");
  return async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
}
