import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/**
 * The body of a request with Upgrade, of which node:http parses the head
 * alone; `undefined` when its length is not given.
 */
export function bodyAfterUpgrade(
  { headers, socket }: IncomingMessage,
  head: Buffer,
): Readable | undefined {
  if (headers["transfer-encoding"] !== undefined) return undefined;
  const length = Number(headers["content-length"] ?? 0);

  async function* read(): AsyncGenerator<Buffer> {
    let missing = length;
    if (missing > 0 && head.length > 0) {
      yield head.subarray(0, missing);
      missing -= Math.min(missing, head.length);
    }
    if (missing === 0) return;
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const part = Buffer.from(chunk).subarray(0, missing);
      yield part;
      missing -= part.length;
      if (missing === 0) return;
    }
    throw new Error("The request's body broke off");
  }

  return Readable.from(read(), { objectMode: false });
}
