import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";

/** The text of a list in JSON, which is made as the client reads it. */
export type JsonList = Readable & {
  /** How much of it is in memory at a time. */
  readonly heldBytesMax: number;
};

/** Responds with a list, whose items are read as the client takes them: it may be larger than the memory. */
export function respondWithList(
  reply: FastifyReply,
  list: { items: AsyncIterable<unknown>; heldBytesMax: number },
): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(createJsonList(list));
}

export function createJsonList({
  items,
  heldBytesMax,
}: {
  items: AsyncIterable<unknown>;
  heldBytesMax: number;
}): JsonList {
  // Of bytes, a stream reads no further item while it has one that is not taken.
  const text = Readable.from(textOf(items), { objectMode: false });
  return Object.assign(text, { heldBytesMax });
}

export function isJsonList(payload: unknown): payload is JsonList {
  return payload instanceof Readable && "heldBytesMax" in payload;
}

/** Begins with the first item, so that a failure to read it is still an error response. */
async function* textOf(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  let separator = "[";
  for await (const item of items) {
    yield `${separator}${JSON.stringify(item)}`;
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}
