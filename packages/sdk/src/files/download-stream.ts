/**
 * The body of a response, read only as fast as its reader takes it. A broken
 * connection errors the stream with the error that `explain` returns.
 */
export function downloadStream(
  body: ReadableStream<Uint8Array> | null,
  explain: (cause: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const reader = body?.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const part = await reader?.read();
          if (part === undefined || part.done) controller.close();
          else controller.enqueue(part.value);
        } catch (error) {
          controller.error(explain(error));
        }
      },
      async cancel(reason) {
        await reader?.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
