import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns, type PairedSamples } from "../in-turns.ts";
import { measureLoad } from "./clients/load.ts";
import type { LoadResult } from "./clients/load-result.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { measuredHost, sessions, usedSecret } from "./setup/sessions.ts";

const rounds = 20;
const requestsRatioMin = 0.55;

/** The head of a request with a token in one header. */
export function requestHead(token: string): string {
  return [
    "GET /v1/messages HTTP/1.1",
    `Host: ${measuredHost}`,
    "User-Agent: bench",
    "Accept: */*",
    `X-Api-Key: ${token}`,
    "",
    "",
  ].join("\r\n");
}

/** Repeated requests with a token in one header, on 32 connections. */
export const requestLoad = {
  head: requestHead(usedSecret.token),
  connections: 32,
  warmUpMilliseconds: 300,
  milliseconds: 1000,
};

/** The floor of the proxy: it terminates TLS, opens TLS, and forwards bytes unread. */
export const relayName = "bare Node TLS relay";

export function perSecond({ measured, floor }: PairedSamples<LoadResult>): PairedSamples<number> {
  const rates = (results: LoadResult[]) => results.map((result) => result.perSecond);
  return { measured: rates(measured), floor: rates(floor) };
}

/** The CPU time of what a load does, which is reported beside its rate. */
export function cpuTimes({ measured, floor }: PairedSamples<LoadResult>): PairedSamples<number> {
  const times = (results: LoadResult[]) => results.map((result) => result.cpuMicroseconds);
  return { measured: times(measured), floor: times(floor) };
}

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
    return [
      describeRatio(
        `requests/s through the proxy, one substituted header, response searched, ${requestLoad.connections} connections`,
        perSecond({ measured, floor }),
        { unit: "/s", floorName: relayName, bound: { atLeast: requestsRatioMin } },
      ),
      describeRatio("CPU time of each of these requests", cpuTimes({ measured, floor }), {
        unit: "µs",
        floorName: relayName,
      }),
    ];
  } finally {
    await path.stop();
  }
}
