import { Agent, request } from "node:http";
import { z } from "zod";

// A separate process, so that it can run in the network namespace of a slot. The
// first argument has the task as JSON; the output is a number.
const taskSchema = z.object({
  hostname: z.string(),
  port: z.int(),
  host: z.string(),
  path: z.string(),
  /** Number of concurrent requests. */
  connections: z.int(),
  /** Duration; 0 for one request. */
  milliseconds: z.int(),
});
export type HttpTask = z.infer<typeof taskSchema>;

const task = taskSchema.parse(JSON.parse(process.argv[2] ?? ""));
const agent = new Agent({ keepAlive: true, maxSockets: task.connections });
const startedAt = performance.now();
const endsAt = startedAt + task.milliseconds;
let requests = 0;
let bytes = 0;
await Promise.all(
  Array.from({ length: task.connections }, async () => {
    do {
      bytes += await get();
      requests += 1;
    } while (performance.now() < endsAt);
  }),
);
const seconds = (performance.now() - startedAt) / 1000;
process.stdout.write(
  `${JSON.stringify({ requestsPerSecond: requests / seconds, bytesPerSecond: bytes / seconds })}\n`,
);
agent.destroy();

function get(): Promise<number> {
  const { hostname, port, host, path } = task;
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, agent, headers: { host } }, (response) => {
      let received = 0;
      response.on("data", (part: Buffer) => {
        received += part.length;
      });
      response.once("error", reject);
      response.once("end", () => {
        if (response.statusCode === 200) resolve(received);
        else reject(new Error(`Expected 200, got ${response.statusCode}`));
      });
    });
    sent.once("error", reject);
    sent.end();
  });
}
