import { createHash } from "node:crypto";
import { Agent, fetch as undiciFetch } from "undici";
import type { Fetch } from "./fetch.ts";

/**
 * Node's own fetch gives up when an answer's head, or the next part of its
 * body, takes 300 s. A command may run for hours before it answers, so the
 * SDK keeps its own deadlines and the agent has none. TCP keep-alive still
 * finds a host that has gone; idle connections do not keep the process alive.
 */
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

export const platformFetch: Fetch = (url, init) => undiciFetch(url, { ...init, dispatcher: agent });

export function readEnvironment(name: string): string | undefined {
  return process.env[name];
}

export { listLocalFiles, readLocalFile } from "./local-files.ts";
export { openSocket } from "./node-socket.ts";

export function sha256Hex(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
