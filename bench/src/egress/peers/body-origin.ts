import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { pipeline } from "node:stream/promises";
import { createBodies } from "./bodies.ts";
import { bodyOriginSettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

// Responds to `/<kind>/<bytes>` with so many bytes of that kind, made once and
// written over and over, in a process of its own: the CPU time of making and
// sending them is not the proxy's.
runPeer(bodyOriginSettingsSchema, ({ key, cert, value, otherValue }) => {
  const bodies = createBodies({ value, otherValue });
  return createServer({ key, cert }, (request, response) => {
    const [, kind = "", bytes] = (request.url ?? "").split("/");
    void respond(response, bodies(kind), Number(bytes));
  });
});

async function respond(response: ServerResponse, body: Buffer, bytes: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/plain", "content-length": bytes });
  try {
    await pipeline(repeated(body, bytes), response);
  } catch (error) {
    // Whoever downloads fails with a message of its own when the connection is lost.
    process.stderr.write(`The body origin stopped a response early: ${String(error)}\n`);
  }
}

function* repeated(body: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= body.length) {
    yield left < body.length ? body.subarray(0, left) : body;
  }
}
