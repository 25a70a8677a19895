import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import type { Target } from "../setup/measured-path.ts";

/** Downloads bodies of the body origin in sequence, over one connection. */
export interface Downloads {
  /** Time from the request to the end of the response. */
  milliseconds(kind: string, bytes: number): Promise<number>;
  close(): void;
}

export function openDownloads(target: Target): Downloads {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    async milliseconds(kind, bytes) {
      const startedAt = performance.now();
      const outgoing = request({
        ...target,
        agent,
        path: `/${kind}/${bytes}`,
        headers: { host: target.servername },
      });
      outgoing.end();
      const [response]: IncomingMessage[] = await once(outgoing, "response");
      if (response?.statusCode !== 200) {
        throw new Error(`The download of ${kind} returned ${response?.statusCode}`);
      }
      const received = await countBytes(response);
      const milliseconds = performance.now() - startedAt;
      if (received !== bytes) {
        throw new Error(`Expected ${bytes} bytes of ${kind}, ${received} arrived`);
      }
      return milliseconds;
    },
    close: () => agent.destroy(),
  };
}

async function countBytes(response: IncomingMessage): Promise<number> {
  let received = 0;
  response.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  await once(response, "end");
  return received;
}
