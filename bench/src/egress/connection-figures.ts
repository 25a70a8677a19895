import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { measureConnections } from "./clients/connections.ts";
import { cpuTimes, perSecond, relayName, requestLoad } from "./request-figures.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions } from "./setup/sessions.ts";

const rounds = 20;
const ratioMin = 1;
const clients = 8;

/** New TLS connections with one request each, compared with the relay, which opens one upstream for each. */
export async function measureNewConnections(onRound: (text: string) => void): Promise<Figure[]> {
  const session = sessions.withOneSecret();
  const path = await startMeasuredPath({ origin: "origin", sessions: [session] });
  const load = { ...requestLoad, clients };
  try {
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () =>
        measureConnections({ ...load, target: path.throughProxy(session), pid: path.proxy.pid }),
      floor: () =>
        measureConnections({ ...load, target: path.throughRelay(session), pid: path.relay.pid }),
      onRound,
    });
    return [
      describeRatio(
        `new TLS connections/s through the proxy, one request each, ${clients} clients`,
        perSecond({ measured, floor }),
        { unit: "/s", floorName: relayName, bound: { atLeast: ratioMin } },
      ),
      describeRatio("CPU time of each of these connections", cpuTimes({ measured, floor }), {
        unit: "µs",
        floorName: relayName,
      }),
    ];
  } finally {
    await path.stop();
  }
}
