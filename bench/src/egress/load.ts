import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

const answerEnd = Buffer.from("\r\n\r\nok");

export interface LoadTarget {
  host: string;
  port: number;
  localAddress: string;
  servername: string;
  ca: string;
}

/**
 * Requests a second over kept-alive connections, each with one request under
 * way, after a warm-up that is not counted.
 */
export async function measureLoad({
  target,
  head,
  connections,
  warmUpMilliseconds,
  milliseconds,
}: {
  target: LoadTarget;
  head: string;
  connections: number;
  warmUpMilliseconds: number;
  milliseconds: number;
}): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(target)));
  const request = Buffer.from(head);
  let answered = 0;
  let failure: Error | undefined;
  for (const socket of sockets) {
    let tail: Buffer = Buffer.alloc(0);
    socket.on("error", (error) => {
      failure ??= error;
    });
    socket.on("data", (chunk: Buffer) => {
      const window = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
      if (!window.subarray(-answerEnd.length).equals(answerEnd)) {
        tail = window;
        return;
      }
      if (!window.subarray(0, 12).equals(Buffer.from("HTTP/1.1 200"))) {
        failure ??= new Error(`Expected 200, got ${window.subarray(0, 200).toString()}`);
      }
      tail = Buffer.alloc(0);
      answered += 1;
      socket.write(request);
    });
    socket.write(request);
  }
  await pause(warmUpMilliseconds);
  const before = answered;
  const startedAt = performance.now();
  await pause(milliseconds);
  const perSecond = ((answered - before) * 1000) / (performance.now() - startedAt);
  for (const socket of sockets) socket.destroy();
  if (failure !== undefined) throw failure;
  if (perSecond === 0) throw new Error("Not one request was answered");
  return perSecond;
}

async function open(target: LoadTarget): Promise<TLSSocket> {
  const socket = connect({ ...target });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
