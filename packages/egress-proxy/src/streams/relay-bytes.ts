import type { Socket } from "node:net";

/** How many bytes passed each way. */
export interface StreamBytes {
  fromGuest: number;
  toGuest: number;
}

/**
 * Passes bytes between two sockets unchanged until both sides have ended or one is
 * lost, at the pace of the slower side. A side that ends leaves the other
 * direction open. Before each chunk `mayPass` is asked; once it returns false both
 * connections are reset. Resolves when both are closed.
 */
export async function relayBytes(
  guest: Socket,
  upstream: Socket,
  bytes: StreamBytes,
  mayPass: () => boolean,
): Promise<void> {
  const reset = (): void => {
    guest.resetAndDestroy();
    upstream.resetAndDestroy();
  };
  const pass = (from: Socket, to: Socket, count: (passed: number) => void): Promise<void> => {
    from.on("data", (chunk: Buffer) => {
      if (!mayPass()) return reset();
      count(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.once("end", () => to.end());
    from.resume();
    return new Promise((resolve) => {
      from.once("close", () => {
        // Without an end before it, the side was lost: what it sent is incomplete.
        if (from.readableEnded) to.destroySoon();
        else to.resetAndDestroy();
        resolve();
      });
    });
  };
  await Promise.all([
    pass(guest, upstream, (passed) => {
      bytes.fromGuest += passed;
    }),
    pass(upstream, guest, (passed) => {
      bytes.toGuest += passed;
    }),
  ]);
}
