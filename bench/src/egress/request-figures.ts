import { describeSamples, type Figure } from "../figure.ts";
import { measureInTurns, type PairedSamples } from "../in-turns.ts";
import { median, pairedRatios } from "../statistics.ts";
import { measureLoad } from "./clients/load.ts";
import type { LoadResult } from "./clients/load-result.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { measuredHost, sessions, usedSecret } from "./setup/sessions.ts";

const rounds = 20;
const requestsRatioMin = 0.55;

/** Repeated requests with a token in one header, on 32 connections. */
export const requestLoad = {
  head: [
    "GET /v1/messages HTTP/1.1",
    `Host: ${measuredHost}`,
    "User-Agent: bench",
    "Accept: */*",
    `X-Api-Key: ${usedSecret.token}`,
    "",
    "",
  ].join("\r\n"),
  connections: 32,
  warmUpMilliseconds: 300,
  milliseconds: 1000,
};

export const perSecond = (results: LoadResult[]) => results.map((result) => result.perSecond);
const cpuTimes = (results: LoadResult[]) => results.map((result) => result.cpuMicroseconds);

/** Requests per second through the proxy and their CPU time, compared with the relay. */
export async function measureRequests(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({ origin: "origin", sessions: [session] });
  try {
    const target = path.throughProxy(session);
    const floorTarget = path.throughRelay(session);
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () => measureLoad({ ...requestLoad, targets: [target], pid: path.proxy.pid }),
      floor: () => measureLoad({ ...requestLoad, targets: [floorTarget], pid: path.relay.pid }),
      onRound,
    });
    // Ratios within a round: the speed of the machine varies between rounds.
    const ratio = median(pairedRatios(perSecond(measured), perSecond(floor)));
    return [
      {
        name: `requests/s through the proxy, one substituted header, response searched, ${requestLoad.connections} connections`,
        measured: describeSamples(perSecond(measured), "/s"),
        floor: `${describeSamples(perSecond(floor), "/s")} (bare Node TLS relay)`,
        result: `${ratio.toFixed(2)} × the floor`,
        mustReach: `≥ ${requestsRatioMin} × the floor`,
        reached: ratio >= requestsRatioMin,
      },
      describeCpuTime("CPU time of each of these requests", { measured, floor }),
    ];
  } finally {
    await path.stop();
  }
}

/** The CPU time of what a load does, which is reported beside its rate. */
export function describeCpuTime(
  name: string,
  {
    measured,
    floor,
    floorName = "bare Node TLS relay",
  }: PairedSamples<LoadResult> & { floorName?: string },
): Figure {
  const ratio = median(pairedRatios(cpuTimes(measured), cpuTimes(floor)));
  return {
    name,
    measured: describeSamples(cpuTimes(measured), "µs"),
    floor: `${describeSamples(cpuTimes(floor), "µs")} (${floorName})`,
    result: `${ratio.toFixed(2)} × the floor`,
    mustReach: "reported",
    reached: null,
  };
}
