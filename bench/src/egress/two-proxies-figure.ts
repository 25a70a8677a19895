import { availableParallelism } from "node:os";
import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { measureLoad } from "./clients/load.ts";
import { perSecond, requestLoad } from "./request-figures.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions } from "./setup/sessions.ts";

const rounds = 20;
const ratioMin = 1.4;
/** For two proxies, the process that loads them and what their origins take. */
const coresMin = 4;
const otherProxyAddress = "127.77.0.5";

/** Requests per second of two proxies, each with half of the connections, compared with one of them. */
export async function measureTwoProxies(onRound: (text: string) => void): Promise<Figure> {
  const session = sessions.withOneSecret();
  const first = await startMeasuredPath({ origin: "origin", sessions: [session] });
  const second = await startMeasuredPath({
    origin: "origin",
    address: otherProxyAddress,
    sessions: [session],
  });
  try {
    const one = first.throughProxy(session);
    const { pid } = first.proxy;
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () =>
        measureLoad({ ...requestLoad, targets: [one, second.throughProxy(session)], pid }),
      floor: () => measureLoad({ ...requestLoad, targets: [one], pid }),
      onRound,
    });
    const cores = availableParallelism();
    const hasFreeCores = cores >= coresMin;
    const reservation = `, on ${cores} cores, which the load and the origins share`;
    return describeRatio(
      `requests/s of two egress proxies${hasFreeCores ? "" : reservation}`,
      perSecond({ measured, floor }),
      {
        ...{ unit: "/s", floorName: "one egress proxy" },
        ...(hasFreeCores ? { bound: { atLeast: ratioMin } } : {}),
      },
    );
  } finally {
    await first.stop();
    await second.stop();
  }
}
