import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/**
 * Waits until a server has written that it is ready to its output. Resolves to what ends the
 * server.
 *
 * @throws with the text `failure` when it ends before that.
 */
export async function untilReady(
  server: ChildProcess,
  output: Readable,
  readyText: string,
  failure: string,
): Promise<() => Promise<void>> {
  const closed = once(server, "close");
  for await (const line of createInterface({ input: output })) {
    if (!line.includes(readyText)) continue;
    output.resume();
    return async () => {
      server.kill();
      await closed;
    };
  }
  throw new Error(failure);
}
