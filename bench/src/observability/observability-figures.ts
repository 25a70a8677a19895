import { setTimeout as delay } from "node:timers/promises";
import { findFreePort } from "@opencomputer/harness";
import { Sandbox, Webhook } from "@opencomputer/sdk";
import type { LoadResult } from "../egress/clients/load-result.ts";
import { cpuTimes, perSecond, requestHead, requestLoad } from "../egress/request-figures.ts";
import { forkPeer } from "../egress/setup/bench-processes.ts";
import { startMeasuredOrigin } from "../egress/setup/measured-origin.ts";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { runProgram } from "../slot-namespace.ts";
import { withInstallation } from "../with-installation.ts";
import { measureTurn } from "./measure-turn.ts";
import { type MeasuredInstallation, prepareMeasurement } from "./measured-installation.ts";
import { type ProxyLoad, proxyLoadResultSchema } from "./proxy-load-task.ts";
import { scrapeMilliseconds, whileScraped } from "./scrapes.ts";

const rounds = 7;
/** Whole intervals between two scrapes, so that a turn has as many as its share of a long run. */
const turnMilliseconds = 2 * scrapeMilliseconds;
/** Before each turn, so that the warm machines of both installations are ready. */
const restMilliseconds = 1_000;
const commandsAtOnce = 4;
const ratioMin = 0.95;
const observed = "traces exported, metrics read every 5 s, a webhook";
const floorName = "none of these";

/**
 * What an operator can switch on, against an installation without it. Events, the egress log
 * and the samples of usage are always on: both installations have them.
 */
export async function measureObservability(say: (text: string) => void): Promise<Figure[]> {
  const receiver = await forkPeer(new URL("./receiver.js", import.meta.url), {});
  const origin = await startMeasuredOrigin();
  const receiverUrl = `http://127.0.0.1:${receiver.port}`;
  const metricsPort = await findFreePort();
  const switches = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiverUrl,
    OPENCOMPUTER_METRICS_PORT: String(metricsPort),
    OPENCOMPUTER_WEBHOOK_ADDRESSES: "127.0.0.0/8",
  };
  try {
    return await withInstallation(origin.environment, (without) =>
      withInstallation({ ...origin.environment, ...switches }, async (installation) => {
        const off = await prepareMeasurement(without);
        const on = await prepareMeasurement(installation);
        try {
          await Webhook.create({ ...on.connection, url: receiverUrl });
          return await measureHotPaths(on, off, `http://127.0.0.1:${metricsPort}`, say);
        } finally {
          await Promise.all([on, off].map(({ sandbox }) => sandbox.kill()));
        }
      }),
    );
  } finally {
    await origin.stop();
    receiver.stop();
  }
}

type Measure = (installation: MeasuredInstallation) => Promise<LoadResult>;

/** Each hot path, and the processes whose CPU time one request takes. */
const hotPaths: readonly { name: string; processes: string; measure: Measure }[] = [
  {
    name: "sandboxes/s created and killed, one after the other",
    processes: "control plane and worker",
    measure: ({ connection, pids }) =>
      measureTurn(async () => (await Sandbox.create({ ...connection, timeout: 0 })).kill(), {
        ...{ pids, callers: 1, milliseconds: turnMilliseconds },
      }),
  },
  {
    name: `exec.run("true")/s, ${commandsAtOnce} at a time`,
    processes: "control plane and worker",
    measure: ({ sandbox, pids }) =>
      measureTurn(() => sandbox.exec.run("true"), {
        ...{ pids, callers: commandsAtOnce, milliseconds: turnMilliseconds },
      }),
  },
  {
    name: `requests/s of a sandbox through the proxy, ${requestLoad.connections} connections`,
    processes: "proxy",
    async measure({ proxy: { target, pid, machinePid, token } }) {
      const task: ProxyLoad = {
        ...requestLoad,
        ...{ target, pid, head: requestHead(token), milliseconds: turnMilliseconds },
      };
      const program = new URL("./proxy-load.js", import.meta.url);
      const output = await runProgram(program, task, { machinePid });
      return proxyLoadResultSchema.parse(JSON.parse(output));
    },
  },
];

async function measureHotPaths(
  on: MeasuredInstallation,
  off: MeasuredInstallation,
  metricsUrl: string,
  say: (text: string) => void,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, processes, measure } of hotPaths) {
    const samples = await measureInTurns({
      rounds,
      async measured() {
        await delay(restMilliseconds);
        return await whileScraped(metricsUrl, () => measure(on));
      },
      async floor() {
        await delay(restMilliseconds);
        return await measure(off);
      },
      onRound: (text) => say(`observed and not: ${name}: ${text}`),
    });
    figures.push(
      describeRatio(`${name}: ${observed}`, perSecond(samples), {
        ...{ unit: "/s", floorName, bound: { atLeast: ratioMin } },
      }),
      describeRatio(`CPU time of the ${processes} for each of these`, cpuTimes(samples), {
        ...{ unit: "µs", floorName },
      }),
    );
  }
  return figures;
}
