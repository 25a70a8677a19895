import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { percentile } from "../statistics.ts";
import { type LoadResult, type LoadTask, loadTaskSchema } from "./message.ts";

const headEnd = Buffer.from("\r\n\r\n");

// A separate process, so that generating the load blocks neither the server nor the bench.
process.on("message", (message) => {
  void measure(loadTaskSchema.parse(message)).then((result) => process.send?.(result));
});

/** Keep-alive connections with one request at a time each, after a warm-up that is not counted. */
async function measure(task: LoadTask): Promise<LoadResult> {
  const request = Buffer.from(task.head);
  const sockets = await Promise.all(
    Array.from({ length: task.connections }, () => open(task.port)),
  );
  let counts = false;
  const samplesMs: number[] = [];
  for (const socket of sockets) {
    let sentAt = performance.now();
    onResponse(socket, () => {
      if (counts) samplesMs.push(performance.now() - sentAt);
      sentAt = performance.now();
      socket.write(request);
    });
    socket.write(request);
  }
  await pause(task.warmUpMilliseconds);
  counts = true;
  const startedAt = performance.now();
  await pause(task.milliseconds);
  counts = false;
  const seconds = (performance.now() - startedAt) / 1000;
  for (const socket of sockets) socket.destroy();
  return { perSecond: samplesMs.length / seconds, p99Ms: percentile(samplesMs, 0.99) };
}

/** Calls back at the end of each response; any status but 200 ends the process. */
function onResponse(socket: Socket, done: () => void): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const headBytes = received.indexOf(headEnd);
    if (headBytes === -1) return;
    const head = received.subarray(0, headBytes).toString("latin1");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (!head.startsWith("HTTP/1.1 200") || Number.isNaN(length)) {
      throw new Error(`Expected 200 with a Content-Length, got ${received.toString()}`);
    }
    if (received.length < headBytes + headEnd.length + length) return;
    received = Buffer.alloc(0);
    done();
  });
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  await once(socket, "connect");
  return socket;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
