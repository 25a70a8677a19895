import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import type { Target } from "../setup/measured-path.ts";

const responseEnd = "\r\n\r\nok";
const warmUpRequests = 50;

/** Milliseconds of each of `count` requests on one kept-alive connection, with a pause after each. */
export async function measureLatencies(
  target: Target,
  { head, count, pauseMilliseconds }: { head: string; count: number; pauseMilliseconds: number },
): Promise<number[]> {
  const socket = connect({ ...target });
  socket.setNoDelay(true).setEncoding("latin1");
  await once(socket, "secureConnect");
  const latencies: number[] = [];
  for (let sent = 0; sent < warmUpRequests + count; sent += 1) {
    const startedAt = performance.now();
    socket.write(head);
    let text = "";
    while (!text.endsWith(responseEnd)) text += String(await once(socket, "data"));
    if (!text.startsWith("HTTP/1.1 200")) throw new Error(`Expected 200, got ${text}`);
    if (sent >= warmUpRequests) latencies.push(performance.now() - startedAt);
    await sleep(pauseMilliseconds);
  }
  socket.destroy();
  return latencies;
}
