import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { eventEnd, sentAtOf } from "../peers/event-text.ts";
import type { Target } from "../setup/measured-path.ts";

/** Events that warm up connections and code, and are not counted. */
const warmUpEvents = 20;

/** Milliseconds from sending to arrival of each event, by the monotonic clock of the host. */
export async function measureEventLatencies(target: Target, count: number): Promise<number[]> {
  const outgoing = request({
    ...target,
    agent: false,
    path: `/${warmUpEvents + count}`,
    headers: { host: target.servername },
  });
  outgoing.end();
  const [response]: IncomingMessage[] = await once(outgoing, "response");
  if (response?.statusCode !== 200) throw new Error(`The events returned ${response?.statusCode}`);
  const latencies: number[] = [];
  let text = "";
  response.setEncoding("latin1");
  response.on("data", (chunk: string) => {
    const arrivedAt = process.hrtime.bigint();
    const events = (text + chunk).split(eventEnd);
    text = events.pop() ?? "";
    for (const event of events) latencies.push(Number(arrivedAt - sentAtOf(event)) / 1e6);
  });
  await once(response, "end");
  if (latencies.length !== warmUpEvents + count) {
    throw new Error(`Expected ${warmUpEvents + count} events, ${latencies.length} arrived`);
  }
  return latencies.slice(warmUpEvents);
}
