import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { limits } from "@opencomputer/protocol/api";
import type { Forwarded } from "./forward-request.ts";
import { relayResponse } from "./relay-response.ts";
import { responseFields } from "./response-fields.ts";
import { TunnelAgent } from "./tunnel-agent.ts";

/**
 * Has the sandbox's server upgrade a connection to a WebSocket, on a
 * separate connection. After its 101, bytes are passed on as they are, at the pace
 * of the slower side.
 *
 * Resolves with the function that ends both sides once they are joined;
 * `undefined` when the server responded otherwise, or when the visitor is gone.
 * Rejects when nothing was sent to the visitor yet.
 */
export function forwardWebSocket(
  agent: TunnelAgent,
  forwarded: Omit<Forwarded, "body">,
  visitor: { socket: Duplex; head: Buffer; response: ServerResponse },
  onTraffic: () => void,
): Promise<{ end: () => void; ended: Promise<void> } | undefined> {
  const { response } = visitor;
  if (response.destroyed) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const upstream = request({
      ...TunnelAgent.optionsOf(forwarded.target),
      createConnection: (options, callback) => agent.createConnection(options, callback),
      method: forwarded.method,
      path: forwarded.path,
      headers: forwarded.fields,
      maxHeaderSize: limits.previewHeadBytesMax,
      signal: forwarded.signal,
    });
    response.once("close", () => {
      if (!response.writableFinished) upstream.destroy();
      resolve(undefined);
    });
    upstream.once("upgrade", (incoming, server, serverHead) => {
      if (incoming.headers.upgrade?.toLowerCase() !== "websocket") {
        server.destroy();
        reject(new Error("The server switched to a protocol that nobody asked for"));
        return;
      }
      response.detachSocket(response.socket ?? visitorSocketMissing());
      resolve(join({ incoming, server, serverHead }, visitor, forwarded.host, onTraffic));
    });
    upstream.once("response", (incoming) => {
      try {
        response.shouldKeepAlive = false;
        relayResponse(incoming, response, forwarded.host);
      } catch (error) {
        upstream.destroy();
        reject(error);
      }
    });
    upstream.on("error", (error) => {
      if (response.headersSent) response.destroy();
      else reject(forwarded.signal.aborted ? forwarded.signal.reason : error);
    });
    upstream.once("close", () => {
      // After an upgrade, or another response, the promise is resolved or rejected already.
      if (!response.headersSent) reject(new Error("The server closed the connection"));
    });
    upstream.end();
  });
}

function join(
  {
    incoming,
    server,
    serverHead,
  }: { incoming: IncomingMessage; server: Duplex; serverHead: Buffer },
  { socket, head }: { socket: Duplex; head: Buffer },
  host: string,
  onTraffic: () => void,
): { end: () => void; ended: Promise<void> } {
  const end = () => {
    socket.destroy();
    server.destroy();
  };
  for (const side of [socket, server]) {
    side.on("data", onTraffic);
    // The pipelines end both sides; an error after them concerns nobody.
    side.on("error", () => undefined);
  }
  socket.write(headOf(incoming, host), "latin1");
  if (serverHead.length > 0) socket.write(serverHead);
  if (head.length > 0) server.write(head);
  onTraffic();
  const ended = Promise.all([pipeline(socket, server), pipeline(server, socket)]).then(
    () => undefined,
    end,
  );
  return { end, ended };
}

function headOf({ statusMessage, rawHeaders }: IncomingMessage, host: string): string {
  const fields = responseFields(rawHeaders, { host, isChunked: false });
  const lines = [`HTTP/1.1 101 ${statusMessage || "Switching Protocols"}`];
  for (let index = 0; index < fields.length; index += 2) {
    lines.push(`${fields[index]}: ${fields[index + 1]}`);
  }
  return `${[...lines, "Connection: Upgrade", "Upgrade: websocket"].join("\r\n")}\r\n\r\n`;
}

function visitorSocketMissing(): never {
  throw new Error("The response has no connection any more");
}
