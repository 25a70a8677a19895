import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import type { Target } from "../setup/measured-path.ts";
import { type LoadResult, measureResponses } from "./load-result.ts";

const responseEnd = Buffer.from("\r\n\r\nok");

/**
 * Requests per second over keep-alive connections, each with one request at a
 * time and to the targets in turn, and their CPU time in the process `pid`,
 * after a warm-up that is not counted.
 */
export async function measureLoad({
  targets,
  head,
  connections,
  ...measured
}: {
  targets: [Target, ...Target[]];
  pid: number;
  head: string;
  connections: number;
  warmUpMilliseconds: number;
  milliseconds: number;
}): Promise<LoadResult> {
  const sockets = await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      open(targets[index % targets.length] ?? targets[0]),
    ),
  );
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
  const result = await measureResponses(() => responses, measured);
  for (const socket of sockets) socket.destroy();
  if (failure !== undefined) throw failure;
  if (result.perSecond === 0) throw new Error("Not one response arrived");
  return result;
}

async function open(target: Target): Promise<TLSSocket> {
  const socket = connect({ ...target });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}
