import { createDeferred } from "./deferred.ts";

/** A chunk of output of one stream. */
export interface OutputChunk {
  stream: "stdout" | "stderr";
  data: Uint8Array;
}

/** The events of a session, in order. */
export type SessionNews = OutputChunk | { stream: "replayEnd" };

/** Above this the connection is paused until the reader has caught up. */
const queuedBytesMax = 1024 * 1024;

/**
 * Delivers the events one after another, and buffers no more of them than a
 * limit, where the connection can be paused.
 */
export interface SessionOutput {
  push(news: SessionNews): void;
  /** Ends the output. What is queued is still delivered. */
  end(): void;
  /** Resolves when all is delivered; rejects with what a handler threw. */
  readonly drained: Promise<void>;
  /** Drops output from now on, unless it is being iterated. */
  discard(): void;
  iterate(): AsyncGenerator<OutputChunk, void, undefined>;
}

/** @param handle Called with each event; absent, output is kept for iteration. */
export function createSessionOutput(options: {
  handle: ((news: SessionNews) => void | Promise<void>) | undefined;
  pause(): void;
  resume(): void;
}): SessionOutput {
  const { handle, pause, resume } = options;
  const queue: SessionNews[] = [];
  let queuedBytes = 0;
  let ended = false;
  let discarding = false;
  let iterating = false;
  let pumping = false;
  let wake = (): void => undefined;
  const drained = createDeferred<void>();

  function take(): SessionNews | undefined {
    const news = queue.shift();
    if (news !== undefined && "data" in news) queuedBytes -= news.data.length;
    if (queuedBytes <= queuedBytesMax / 2) resume();
    return news;
  }

  async function pump(deliver: (news: SessionNews) => void | Promise<void>): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      for (let news = take(); news !== undefined; news = take()) await deliver(news);
      if (ended) drained.resolve();
    } catch (error) {
      drained.reject(error);
      discarding = true;
    } finally {
      pumping = false;
    }
  }

  function moveOn(): void {
    wake();
    if (handle !== undefined) void pump(handle);
    else if (discarding && !iterating) void pump(() => undefined);
    else if (ended && queue.length === 0) drained.resolve();
  }

  return {
    push(news) {
      if (discarding && !iterating && handle !== undefined) return;
      queue.push(news);
      if ("data" in news) queuedBytes += news.data.length;
      if (queuedBytes > queuedBytesMax) pause();
      moveOn();
    },
    end() {
      ended = true;
      moveOn();
    },
    drained: drained.promise,
    discard() {
      if (handle !== undefined) return;
      discarding = true;
      moveOn();
    },
    async *iterate() {
      if (handle !== undefined) {
        throw new Error("The session's output goes to onStdout and onStderr: iterate without them");
      }
      iterating = true;
      try {
        for (;;) {
          const news = take();
          if (news === undefined) {
            if (ended) {
              drained.resolve();
              return;
            }
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          } else if (news.stream !== "replayEnd") {
            yield news;
          }
        }
      } finally {
        iterating = false;
        moveOn();
      }
    },
  };
}
