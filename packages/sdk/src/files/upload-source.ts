/** What a file can be written from without buffering all of it. */
export type StreamSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A source as a web stream that is read only as fast as the connection takes it. */
export interface UploadStream {
  stream: ReadableStream<Uint8Array>;
  /** The source's own error, once it has failed. */
  failure(): { error: unknown } | undefined;
  /**
   * Stops reading the source. Call it when the request has ended: undici
   * continues to read a body whose request was aborted.
   */
  stop(): Promise<void>;
}

export function uploadStream(source: StreamSource): UploadStream {
  const iterator = iterate(source);
  let failed: { error: unknown } | undefined;
  let isOver = false;

  async function stop(reason?: unknown): Promise<void> {
    if (isOver) return;
    isOver = true;
    await iterator.return?.(reason);
  }

  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = isOver ? undefined : await iterator.next();
          if (next === undefined || next.done === true) {
            isOver = true;
            controller.close();
          } else {
            controller.enqueue(next.value);
          }
        } catch (error) {
          isOver = true;
          failed = { error };
          controller.error(error);
        }
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
  return { stream, failure: () => failed, stop };
}

/** Browsers differ in whether their streams are async iterable; a reader works in all. */
function iterate(source: StreamSource): AsyncIterator<Uint8Array> {
  if (!("getReader" in source)) return source[Symbol.asyncIterator]();
  const reader = source.getReader();
  return {
    async next() {
      const part = await reader.read();
      return part.done ? { done: true, value: undefined } : { done: false, value: part.value };
    },
    async return(reason) {
      await reader.cancel(reason);
      return { done: true, value: undefined };
    },
  };
}
