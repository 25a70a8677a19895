import { describeRatio, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { describeRate, measureDownloadRate, warmUp } from "./clients/download-rate.ts";
import { openDownloads } from "./clients/downloads.ts";
import { measureLoad } from "./clients/load.ts";
import { perSecond, requestLoad } from "./request-figures.ts";
import { startMeasuredPath, type Target } from "./setup/measured-path.ts";
import { sessions, unknownValue, usedSecret } from "./setup/sessions.ts";

const rounds = 20;
const secretCount = 10_000;
const requestsRatioMin = 0.9;
/** The response of the plain origin. */
const shortBodyBytes = 2;
const countText = secretCount.toLocaleString("en");

/** First request and requests per second of a session with many secrets, compared with a single secret. */
export async function measureManySecrets(onRound: (text: string) => void): Promise<Figure[]> {
  const many = sessions.withSecrets(secretCount);
  const one = sessions.withOneSecret();
  const path = await startMeasuredPath({ origin: "origin", sessions: [many, one] });
  try {
    const { pid } = path.proxy;
    const first = describeFirst(
      await firstRequestMilliseconds(path.throughProxy(many)),
      await firstRequestMilliseconds(path.throughProxy(one)),
    );
    const { measured, floor } = await measureInTurns({
      rounds,
      measured: () => measureLoad({ ...requestLoad, pid, targets: [path.throughProxy(many)] }),
      floor: () => measureLoad({ ...requestLoad, pid, targets: [path.throughProxy(one)] }),
      onRound,
    });
    return [
      describeRatio(
        `requests/s of a session with ${countText} secrets`,
        perSecond({ measured, floor }),
        { unit: "/s", floorName: "one secret", bound: { atLeast: requestsRatioMin } },
      ),
      first,
    ];
  } finally {
    await path.stop();
  }
}

/** The first request of a session, at which the proxy prepares the search for all of its values. */
async function firstRequestMilliseconds(target: Target): Promise<number> {
  const downloads = openDownloads(target);
  try {
    return await downloads.milliseconds("first", shortBodyBytes);
  } finally {
    downloads.close();
  }
}

function describeFirst(many: number, one: number): Figure {
  return {
    name: "the first request of that session, which all other sandboxes wait for",
    measured: `${many.toFixed(0)} ms`,
    floor: `${one.toFixed(0)} ms (one secret)`,
    result: `floor + ${(many - one).toFixed(0)} ms`,
    mustReach: "reported",
    reached: null,
  };
}

/** The rate of a long response that is searched for that many values. */
export async function measureManySecretsDownload(): Promise<Figure> {
  const many = sessions.withSecrets(secretCount);
  const one = sessions.withOneSecret();
  const path = await startMeasuredPath({
    origin: "body-origin",
    originSettings: { value: usedSecret.value, otherValue: unknownValue },
    sessions: [many, one],
  });
  const downloads = openDownloads(path.throughProxy(many));
  const floorDownloads = openDownloads(path.throughProxy(one));
  try {
    await warmUp(floorDownloads, "text");
    await warmUp(downloads, "text");
    const floor = await measureDownloadRate(floorDownloads, "text", path.proxy.pid);
    const rate = await measureDownloadRate(downloads, "text", path.proxy.pid);
    return {
      name: `1 GiB response, searched for ${countText} values: lines of words`,
      measured: describeRate(rate),
      floor: `${describeRate(floor)} (one secret)`,
      result: `${(rate / floor).toFixed(2)} × the floor`,
      mustReach: "reported",
      reached: null,
    };
  } finally {
    downloads.close();
    floorDownloads.close();
    await path.stop();
  }
}
