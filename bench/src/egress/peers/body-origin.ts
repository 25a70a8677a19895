import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { pipeline } from "node:stream/promises";
import { createBodies } from "./bodies.ts";
import { bodyOriginSettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

// Responds to `GET /<kind>/<bytes>` with that many bytes of that kind, and to an upload with the number of
// bytes that arrived, in a separate process, so that its CPU time is not counted as the proxy's.
runPeer(bodyOriginSettingsSchema, ({ key, cert, value, otherValue }) => {
  const bodies = createBodies({ value, otherValue });
  return createServer({ key, cert }, (request, response) => {
    if (request.method === "PUT") {
      countUpload(request, response);
      return;
    }
    const [, kind = "", bytes] = (request.url ?? "").split("/");
    void respond(response, bodies(kind), Number(bytes));
  });
});

function countUpload(request: IncomingMessage, response: ServerResponse): void {
  let received = 0;
  request.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  request.once("end", () => response.end(String(received)));
}

async function respond(response: ServerResponse, body: Buffer, bytes: number): Promise<void> {
  response.writeHead(200, { "content-type": "text/plain", "content-length": bytes });
  try {
    await pipeline(repeated(body, bytes), response);
  } catch (error) {
    // The client reports a lost connection.
    process.stderr.write(`The body origin stopped a response early: ${String(error)}\n`);
  }
}

function* repeated(body: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= body.length) {
    yield left < body.length ? body.subarray(0, left) : body;
  }
}
