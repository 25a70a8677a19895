import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { z } from "zod";

/** How the parts of an agent's client send requests and read responses, each bounded and parsed. */
export interface AgentCalls {
  call(request: Omit<Dispatcher.RequestOptions, "origin">): Promise<Dispatcher.ResponseData>;
  parse<Schema extends z.ZodType>(
    response: Dispatcher.ResponseData,
    schema: Schema,
    bytesMax: number,
  ): Promise<z.infer<Schema>>;
}

/** What clients read of a session or a terminal, and write to it. */
export interface AgentStreams {
  /** Attaches: the stream as the guest sends it. Aborting detaches. */
  output(id: string, signal: AbortSignal): Promise<Readable>;
  /** Passes bytes on. Their end is that of a command's input, and nothing to a terminal. */
  input(id: string, bytes: Readable, signal: AbortSignal): Promise<void>;
}

/** What a call that returns no more than a confirmation, or one session, may take. */
export const smallResponseBytesMax = 256 * 1024;
const confirmationSchema = z.object({});

/** @param pathOf The path of one of its routes. */
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
      await parse(response, confirmationSchema, smallResponseBytesMax);
    },
  };
}
