import type { Socket } from "node:net";
import type { ExchangeFixtureOptions } from "./http-exchange-fixture.ts";

/** An upstream that writes the same parts, one by one, to every connection that sends it something. */
export function rawUpstream(
  parts: readonly (string | Buffer)[],
  options: { pauseMilliseconds?: number; end?: boolean } = {},
): Pick<ExchangeFixtureOptions, "raw"> {
  return {
    raw: (socket) => {
      socket.once("data", () => void writeParts(socket, parts, options));
    },
  };
}

async function writeParts(
  socket: Socket,
  parts: readonly (string | Buffer)[],
  { pauseMilliseconds = 0, end = false }: { pauseMilliseconds?: number; end?: boolean },
): Promise<void> {
  for (const [at, part] of parts.entries()) {
    if (at > 0) await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
    if (socket.destroyed) return;
    socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
  }
  if (end) socket.end();
}

/** A response with this body and its Content-Length. */
export function withLength(
  body: string | Buffer,
  fields = "",
  statusLine = "HTTP/1.1 200 OK",
): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  const head = `${statusLine}\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}

/** A chunked response; each chunk is one part. */
export function inChunks(
  chunks: readonly (string | Buffer)[],
  fields = "",
  trailers = "",
): Buffer[] {
  const head = `HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`;
  return [
    Buffer.from(head, "latin1"),
    ...chunks.map(chunkOf),
    Buffer.from(`0\r\n${trailers}\r\n`, "latin1"),
  ];
}

function chunkOf(chunk: string | Buffer): Buffer {
  const bytes = typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk;
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`, "latin1"),
    bytes,
    Buffer.from("\r\n", "latin1"),
  ]);
}
