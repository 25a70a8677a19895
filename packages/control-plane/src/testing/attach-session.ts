import { once } from "node:events";
import { sessionFrames } from "@opencomputer/protocol/api";
import { WebSocket } from "ws";

/** One client at a session's WebSocket, with all that it received. */
export interface SessionClient {
  socket: WebSocket;
  /** Type and text of each message; neighbours of one type are joined. */
  messages: [type: number, text: string][];
  exitCode(): number | undefined;
  send(text: string): void;
  endInput(): void;
  /** How the server closed it. */
  closed: Promise<{ code: number; reason: string }>;
}

/** Rejects with the status and the body when the upgrade is refused. */
export async function attachSession(
  url: string,
  headers: Record<string, string> = {},
): Promise<SessionClient> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
  const messages: [number, string][] = [];
  let exitCode: number | undefined;
  socket.on("message", (data: Buffer) => {
    if (data.length === 0) return;
    const type = data.readUInt8(0);
    const rest = data.subarray(1);
    if (type === sessionFrames.exit) exitCode = rest.readInt32BE(0);
    const last = messages.at(-1);
    const text = type === sessionFrames.exit ? "" : rest.toString();
    if (last !== undefined && last[0] === type && text !== "") last[1] += text;
    else messages.push([type, text]);
  });
  const closed = once(socket, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (part: Buffer) => {
        body += part;
      });
      response.on("end", () => reject(new RefusedUpgrade(response.statusCode ?? 0, body)));
    });
  });
  return {
    socket,
    messages,
    exitCode: () => exitCode,
    send: (text) => socket.send(Buffer.concat([Buffer.of(sessionFrames.stdin), Buffer.from(text)])),
    endInput: () => socket.send(Buffer.of(sessionFrames.stdin)),
    closed,
  };
}

export class RefusedUpgrade extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The upgrade was refused: ${status} ${body}`);
    this.status = status;
    this.body = body;
  }
}
