import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { measureHttp2Load } from "./clients/http2-load.ts";
import { cpuTimes, perSecond } from "./request-figures.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { measuredHost, sessions, usedSecret } from "./setup/sessions.ts";

const rounds = 20;
const floorName = "bare node:http2 relay";
const ratioMin = 0.75;
const load = {
  headers: {
    ":path": "/v1/messages",
    ":authority": measuredHost,
    "user-agent": "bench",
    accept: "*/*",
    "x-api-key": usedSecret.token,
  },
  streams: 32,
  warmUpMilliseconds: 300,
  milliseconds: 1000,
};

/** Requests per second over HTTP/2 on both sides, compared with a relay of node:http2. */
export async function measureHttp2Requests(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({
    origin: "http2-origin",
    relay: "http2-relay",
    sessions: [session],
  });
  const relay = { target: path.throughRelay(session), pid: path.relay.pid };
  const proxy = { target: path.throughProxy(session), pid: path.proxy.pid };
  try {
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () => measureHttp2Load({ ...load, ...proxy }),
      floor: () => measureHttp2Load({ ...load, ...relay }),
      onRound,
    });
    return [
      describeRatio(
        `requests/s over HTTP/2, one substituted header, ${load.streams} streams on one connection`,
        perSecond({ measured, floor }),
        { unit: "/s", floorName, bound: { atLeast: ratioMin } },
      ),
      describeRatio("CPU time of each of these requests", cpuTimes({ measured, floor }), {
        unit: "µs",
        floorName,
      }),
    ];
  } finally {
    await path.stop();
  }
}
