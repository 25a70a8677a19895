import type { Readable } from "node:stream";
import type { UnixSocketClient } from "../peers/unix-socket-client.ts";

/** What clients read of a session or a terminal, and write to it, on the worker's side. */
export interface WorkerStreams {
  /** Attaches: the stream as it comes from the guest. */
  output(sandboxId: string, id: string, signal: AbortSignal): Promise<Readable>;
  /** Passes bytes on. Their end is that of a command's input, and nothing to a terminal. */
  input(sandboxId: string, id: string, bytes: Readable, signal: AbortSignal): Promise<void>;
}

export type PathOf = (sandboxId: string, ...rest: string[]) => string;

/** The paths below one of a sandbox's collections on the worker. */
export function pathsBelow(collection: "exec" | "pty"): PathOf {
  return (sandboxId, ...rest) =>
    ["/v1/sandboxes", sandboxId, collection, ...rest.map(encodeURIComponent)].join("/");
}

export function createWorkerStreams(
  client: Pick<UnixSocketClient, "stream">,
  pathOf: PathOf,
): WorkerStreams {
  return {
    async output(sandboxId, id, signal) {
      const path = pathOf(sandboxId, id, "output");
      return (await client.stream({ method: "GET", path, signal })).body;
    },
    async input(sandboxId, id, bytes, signal) {
      const response = await client.stream({
        method: "POST",
        path: pathOf(sandboxId, id, "input"),
        body: bytes,
        headers: { "content-type": "application/octet-stream" },
        signal,
      });
      response.body.resume();
    },
  };
}
