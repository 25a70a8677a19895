import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { readCpuSeconds } from "../../process-time.ts";
import type { Target } from "../setup/measured-path.ts";

const responseEnd = Buffer.from("\r\n\r\nok");

export interface LoadResult {
  readonly perSecond: number;
  /** CPU time of the process under load, per request. */
  readonly cpuMicroseconds: number;
}

/**
 * Requests a second over kept-alive connections, each with one request under
 * way, and the CPU time that they cost the process `pid`, after a warm-up that
 * is not counted.
 */
export async function measureLoad({
  target,
  pid,
  head,
  connections,
  warmUpMilliseconds,
  milliseconds,
}: {
  target: Target;
  pid: number;
  head: string;
  connections: number;
  warmUpMilliseconds: number;
  milliseconds: number;
}): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(target)));
  const request = Buffer.from(head);
  let responses = 0;
  let failure: Error | undefined;
  for (const socket of sockets) {
    let tail: Buffer = Buffer.alloc(0);
    socket.on("error", (error) => {
      failure ??= error;
    });
    socket.on("data", (chunk: Buffer) => {
      const window = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
      if (!window.subarray(-responseEnd.length).equals(responseEnd)) {
        tail = window;
        return;
      }
      if (!window.subarray(0, 12).equals(Buffer.from("HTTP/1.1 200"))) {
        failure ??= new Error(`Expected 200, got ${window.subarray(0, 200).toString()}`);
      }
      tail = Buffer.alloc(0);
      responses += 1;
      socket.write(request);
    });
    socket.write(request);
  }
  await pause(warmUpMilliseconds);
  const before = responses;
  const cpuBefore = await readCpuSeconds(pid);
  const startedAt = performance.now();
  await pause(milliseconds);
  const cpuSeconds = (await readCpuSeconds(pid)) - cpuBefore;
  const count = responses - before;
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  for (const socket of sockets) socket.destroy();
  if (failure !== undefined) throw failure;
  if (count === 0) throw new Error("Not one response arrived");
  return { perSecond, cpuMicroseconds: (cpuSeconds * 1e6) / count };
}

async function open(target: Target): Promise<TLSSocket> {
  const socket = connect({ ...target });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
