import type { Readable } from "node:stream";
import { z } from "zod";
import { type AgentCalls, smallResponse } from "./agent-calls.ts";

/** The output and input of a session or a terminal. */
export interface AgentStreams {
  /** Attaches to the output, as the guest sends it. Aborting the signal detaches. */
  output(id: string, signal: AbortSignal): Promise<Readable>;
  /** Sends input. The end of the bytes ends the input of a command; a terminal ignores it. */
  input(id: string, bytes: Readable, signal: AbortSignal): Promise<void>;
}

const confirmationSchema = z.object({});

/**
 * Creates the streams of sessions or of terminals.
 *
 * @param pathOf Returns the path of one of their routes.
 */
export function createAgentStreams(
  { call, parse }: AgentCalls,
  pathOf: (route: string, query: Record<string, string>) => string,
): AgentStreams {
  return {
    async output(id, signal) {
      return (await call({ method: "GET", path: pathOf("/output", { id }), signal })).body;
    },
    async input(id, bytes, signal) {
      const response = await call({
        method: "POST",
        path: pathOf("/input", { id }),
        headers: { "content-type": "application/octet-stream" },
        body: bytes,
        signal,
      });
      await parse(response, confirmationSchema, smallResponse);
    },
  };
}
