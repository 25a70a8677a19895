import { once } from "node:events";
import type { Writable } from "node:stream";

/** The reader of the output has closed it, as `head` does. */
export class OutputClosedError extends Error {}

/** A writer that waits while `stream` is full. `release` removes its listener from the stream. */
export function createOutput(stream: Writable): {
  /** @throws {OutputClosedError} */
  write(data: Uint8Array): Promise<void>;
  release(): void;
} {
  let failure: Error | undefined;
  const fail = (cause?: unknown): Error => {
    failure ??= new OutputClosedError("The output is closed", { cause });
    return failure;
  };
  stream.on("error", fail);
  return {
    async write(data) {
      if (failure !== undefined || stream.destroyed) throw fail();
      if (stream.write(data)) return;
      try {
        await once(stream, "drain");
      } catch (cause) {
        throw fail(cause);
      }
    },
    release: () => void stream.off("error", fail),
  };
}
