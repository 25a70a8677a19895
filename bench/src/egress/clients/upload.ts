import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import type { Target } from "../setup/measured-path.ts";

/** Lines of words, as most of what is uploaded; one endless word takes the search several times as long. */
const chunk = Buffer.alloc(
  256 * 1024,
  "an agent writes lines of words to a file, and sends them\n",
);

/** Time of an upload to the body origin on a connection of its own. */
export async function uploadMilliseconds(target: Target, bytes: number): Promise<number> {
  const startedAt = performance.now();
  const outgoing = request({
    ...target,
    agent: false,
    method: "PUT",
    path: "/upload",
    headers: { host: target.servername, "content-length": bytes },
  });
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!outgoing.write(chunk)) await once(outgoing, "drain");
  }
  outgoing.end();
  const [response]: IncomingMessage[] = await once(outgoing, "response");
  if (response?.statusCode !== 200) {
    throw new Error(`The upload returned ${response?.statusCode}`);
  }
  const received = await text(response);
  if (received !== String(bytes)) throw new Error(`Sent ${bytes} bytes, ${received} arrived`);
  return performance.now() - startedAt;
}
