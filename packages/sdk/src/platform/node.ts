import { createHash } from "node:crypto";
import type { Fetch } from "./fetch.ts";

let loadedUndici: ReturnType<typeof loadUndici> | undefined;

/**
 * Loads undici with the first request: it takes longer than the rest of the SDK.
 *
 * Node's own fetch fails when the head of a response, or the next part of its
 * body, takes 300 s. A command may run for hours before its response, so the
 * SDK has its own deadlines and undici's agent has none. TCP keep-alive still
 * detects a host that is down; idle connections do not keep the process alive.
 */
async function loadUndici() {
  const { Agent, fetch } = await import("undici");
  return { fetch, dispatcher: new Agent({ headersTimeout: 0, bodyTimeout: 0 }) };
}

export const platformFetch: Fetch = async (url, init) => {
  loadedUndici ??= loadUndici();
  const { fetch, dispatcher } = await loadedUndici;
  return await fetch(url, { ...init, dispatcher });
};

export function readEnvironment(name: string): string | undefined {
  return process.env[name];
}

export { listLocalFiles, readLocalFile } from "./local-files.ts";
export { openSocket } from "./node-socket.ts";

export function sha256Hex(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
