import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import type { Target } from "../setup/measured-path.ts";
import { type LoadResult, measureResponses } from "./load-result.ts";

/**
 * Requests per second on one HTTP/2 connection with a constant number of
 * streams, and their CPU time in the process `pid`, after a warm-up that is
 * not counted.
 */
export async function measureHttp2Load({
  target,
  headers,
  streams,
  ...measured
}: {
  target: Target;
  headers: Record<string, string>;
  streams: number;
  pid: number;
  warmUpMilliseconds: number;
  milliseconds: number;
}): Promise<LoadResult> {
  const session = await open(target);
  let responses = 0;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
  };
  session.on("error", fail);
  const request = () => {
    if (session.destroyed) return;
    const stream = session.request(headers);
    stream.on("response", ({ ":status": status }) => {
      if (status !== 200) fail(new Error(`Expected 200, got ${status}`));
    });
    stream.on("error", fail);
    stream.on("end", () => {
      responses += 1;
      request();
    });
    stream.resume();
  };
  for (let count = 0; count < streams; count += 1) request();
  const result = await measureResponses(() => responses, measured);
  const failureOfLoad = failure;
  session.destroy();
  if (failureOfLoad !== undefined) throw failureOfLoad;
  if (result.perSecond === 0) throw new Error("Not one response arrived");
  return result;
}

async function open(target: Target): Promise<ClientHttp2Session> {
  const socket = connectTls({ ...target, ALPNProtocols: ["h2"] });
  await once(socket, "secureConnect");
  return connect(`https://${target.servername}`, { createConnection: () => socket });
}
