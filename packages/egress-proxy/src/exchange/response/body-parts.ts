import type { BodySource } from "../../content-coding/decode-body.ts";
import { joined } from "../../http/incoming-body.ts";

/** A body with what is known of its beginning, which `read` returns, too. */
export type BodyWithBeginning = BodySource & { readonly beginning: Buffer };

/** Reads a body as long as its beginning is too short. */
export async function readBeginning(
  body: BodySource,
  isTooShort: (beginning: Buffer) => boolean,
): Promise<BodyWithBeginning> {
  let beginning: Buffer = Buffer.alloc(0);
  while (isTooShort(beginning)) {
    const data = await body.read();
    if (data === null) break;
    beginning = joined([beginning, ...data]);
  }
  let pending: Buffer | undefined = beginning;
  return {
    beginning,
    async read() {
      const data = pending;
      pending = undefined;
      return data === undefined || data.length === 0 ? await body.read() : [data];
    },
  };
}

/** Yields the data in parts of exactly this size; the last one is shorter, and may be empty. */
export async function* partsOf(source: BodySource, partBytes: number): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const data = await source.read();
    if (data === null) break;
    for (const part of data) {
      waiting.push(part);
      bytes += part.length;
      while (bytes >= partBytes) {
        const all = joined(waiting);
        yield all.subarray(0, partBytes);
        waiting = [all.subarray(partBytes)];
        bytes -= partBytes;
      }
    }
  }
  yield joined(waiting);
}
