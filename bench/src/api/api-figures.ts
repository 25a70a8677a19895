import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RunningInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { listeningSchema } from "../egress/peers/message.ts";
import { describeSamples, type Figure } from "../figure.ts";
import { median, pairedRatios } from "../statistics.ts";
import { type LoadResult, type LoadTask, loadResultSchema } from "./message.ts";

const rounds = 20;
const connections = 64;

/** `GET /sandboxes/:id` against a bare HTTP server with the same response, in turns in the same run. */
export async function measureApi(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const { apiUrl, apiKey } = installation;
  const sandbox = await Sandbox.create({ apiUrl, apiKey, timeout: 0 });
  const path = `/api/sandboxes/${sandbox.sandboxId}`;
  const response = await fetch(apiUrl + path, { headers: { "x-api-key": apiKey } });
  if (response.status !== 200) throw new Error(`GET ${path} returned ${response.status}`);
  const generator = fork(fileURLToPath(new URL("./load-generator.js", import.meta.url)));
  const floor = fork(fileURLToPath(new URL("./floor-server.js", import.meta.url)));
  try {
    floor.send({ body: await response.text() });
    const [message] = await once(floor, "message");
    const task = {
      head: `GET ${path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: ${apiKey}\r\n\r\n`,
      connections,
      warmUpMilliseconds: 500,
      milliseconds: 1000,
    };
    const ofApi: LoadResult[] = [];
    const ofFloor: LoadResult[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      onRound(`round ${round} of ${rounds}`);
      ofFloor.push(await load(generator, { ...task, port: listeningSchema.parse(message).port }));
      ofApi.push(await load(generator, { ...task, port: Number(new URL(apiUrl).port) }));
    }
    return describe(ofApi, ofFloor);
  } finally {
    generator.kill();
    floor.kill();
    await sandbox.kill();
  }
}

async function load(generator: ChildProcess, task: LoadTask): Promise<LoadResult> {
  generator.send(task);
  const over = new AbortController();
  const { signal } = over;
  try {
    const [message] = await Promise.race([
      once(generator, "message", { signal }),
      once(generator, "exit", { signal }).then(() => {
        throw new Error("The load generator ended: see its error above");
      }),
    ]);
    return loadResultSchema.parse(message);
  } finally {
    over.abort();
  }
}

function describe(ofApi: LoadResult[], ofFloor: LoadResult[]): Figure[] {
  const perSecond = (results: LoadResult[]) => results.map((result) => result.perSecond);
  const p99Ms = (results: LoadResult[]) => results.map((result) => result.p99Ms);
  const rate = median(pairedRatios(perSecond(ofApi), perSecond(ofFloor)));
  const p99 = median(pairedRatios(p99Ms(ofApi), p99Ms(ofFloor)));
  const floorName = "(bare Node HTTP server)";
  return [
    {
      name: `requests/s of GET /sandboxes/:id, ${connections} connections`,
      measured: describeSamples(perSecond(ofApi), "/s"),
      floor: `${describeSamples(perSecond(ofFloor), "/s")} ${floorName}`,
      result: `${rate.toFixed(2)} × the floor`,
      mustReach: "reported",
      reached: null,
    },
    {
      name: "its p99, of each second",
      measured: describeSamples(p99Ms(ofApi), "ms"),
      floor: `${describeSamples(p99Ms(ofFloor), "ms")} ${floorName}`,
      result: `${p99.toFixed(1)} × the floor`,
      mustReach: "reported",
      reached: null,
    },
  ];
}
