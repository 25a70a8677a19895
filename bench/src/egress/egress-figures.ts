import type { Figure } from "../figure.ts";
import { measureNewConnections } from "./connection-figures.ts";
import { measureDownloads } from "./download-figures.ts";
import { measureEvents } from "./event-figure.ts";
import { measureHttp2Requests } from "./http2-figures.ts";
import { measureManySecrets, measureManySecretsDownload } from "./many-secrets-figures.ts";
import { measureManySessions } from "./many-sessions-figure.ts";
import { measureNeighbours } from "./neighbour-figures.ts";
import { measureRequests } from "./request-figures.ts";
import { measureTiming } from "./timing-figures.ts";
import { measureTransfers } from "./transfer-figures.ts";
import { measureTwoProxies } from "./two-proxies-figure.ts";

/** All measurements of the egress proxy, each with a floor of the same run. */
export async function measureEgress(say: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  figures.push(...(await measureRequests((text) => say(`proxy and relay: ${text}`))));
  figures.push(await measureTwoProxies((text) => say(`two proxies and one: ${text}`)));
  figures.push(...(await measureHttp2Requests((text) => say(`proxy and relay, HTTP/2: ${text}`))));
  figures.push(...(await measureNewConnections((text) => say(`new connections: ${text}`))));
  figures.push(...(await measureTransfers((text) => say(`1 GiB: ${text}`))));
  figures.push(...(await measureDownloads((text) => say(`1 GiB response: ${text}`))));
  figures.push(await measureEvents((text) => say(`events: ${text}`)));
  figures.push(...(await measureManySecrets((text) => say(`many secrets and one: ${text}`))));
  figures.push(await measureManySessions((text) => say(`many sessions and one: ${text}`)));
  say("1 GiB response, searched for many values");
  figures.push(await measureManySecretsDownload());
  figures.push(...(await measureNeighbours((text) => say(`beside ${text}`))));
  figures.push(...(await measureTiming((text) => say(`time of responses: ${text}`))));
  return figures;
}
