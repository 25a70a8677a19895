import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

/**
 * The body of a request: null when it has none, undefined when it cannot be
 * passed on.
 *
 * @param head What came after the head of a request with Upgrade.
 */
export function requestBody(
  request: IncomingMessage,
  head: Buffer | undefined,
): Readable | null | undefined {
  const coding = request.headers["transfer-encoding"]?.toLowerCase();
  if (coding !== undefined && coding !== "chunked") return undefined;
  const isEmpty = coding === undefined && Number(request.headers["content-length"] ?? 0) === 0;
  if (isEmpty) return null;
  return head === undefined ? request : bodyAfterUpgrade(request, head);
}

/**
 * The body of a request with Upgrade, of which node:http parses the head
 * alone; `undefined` when its length is not given.
 */
function bodyAfterUpgrade(
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
