import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { measureLoad } from "./clients/load.ts";
import { perSecond, requestLoad } from "./request-figures.ts";
import { startMeasuredPath } from "./setup/measured-path.ts";
import { sessions } from "./setup/sessions.ts";

const rounds = 20;
const sessionCount = 1_000;
const ratioMin = 0.9;
const otherProxyAddress = "127.77.0.5";

/** Requests per second of a proxy with many sessions, from as many sandboxes as there are connections, compared with one session. */
export async function measureManySessions(onRound: (text: string) => void): Promise<Figure> {
  const [first, ...others] = sessions.ofManySandboxes(sessionCount);
  if (first === undefined) throw new RangeError("Expected at least one session");
  const many = await startMeasuredPath({ origin: "origin", sessions: [first, ...others] });
  const one = await startMeasuredPath({
    origin: "origin",
    address: otherProxyAddress,
    sessions: [first],
  });
  try {
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () =>
        measureLoad({
          ...requestLoad,
          targets: [many.throughProxy(first), ...others.map((other) => many.throughProxy(other))],
          pid: many.proxy.pid,
        }),
      floor: () =>
        measureLoad({ ...requestLoad, targets: [one.throughProxy(first)], pid: one.proxy.pid }),
      onRound,
    });
    return describeRatio(
      `requests/s of a proxy with ${sessionCount.toLocaleString("en")} sessions, ${requestLoad.connections} of them in use`,
      perSecond({ measured, floor }),
      { unit: "/s", floorName: "one session", bound: { atLeast: ratioMin } },
    );
  } finally {
    await many.stop();
    await one.stop();
  }
}
