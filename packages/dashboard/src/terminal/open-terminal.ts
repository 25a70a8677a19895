import { openedTerminalSchema, type TerminalSize } from "@opencomputer/protocol/api";
import { callService } from "../service/call-service.ts";

/** What a terminal has until its view has measured itself. */
const firstSize: TerminalSize = { cols: 80, rows: 24 };

const terminalsPath = (sandboxId: string) => `/api/sandboxes/${encodeURIComponent(sandboxId)}/pty`;

/** Opens a terminal in a sandbox, and returns its id. */
export async function openTerminal(sandboxId: string): Promise<string> {
  const request = { method: "POST", path: terminalsPath(sandboxId), body: firstSize };
  return (await callService(request, openedTerminalSchema)).sessionID;
}

/** Opens a WebSocket to a terminal, by the session's cookie: its messages are what is typed and shown. */
export function attachTerminal(sandboxId: string, sessionId: string): WebSocket {
  const origin = globalThis.location.origin.replace(/^http/, "ws");
  const path = `${terminalsPath(sandboxId)}/${encodeURIComponent(sessionId)}`;
  const socket = new WebSocket(origin + path);
  socket.binaryType = "arraybuffer";
  return socket;
}
