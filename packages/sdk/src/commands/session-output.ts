import { createDeferred } from "./deferred.ts";

/** A chunk of output of one stream. */
export interface OutputChunk {
  stream: "stdout" | "stderr";
  data: Uint8Array;
}

/** The events of a session, in order. The replay is of the output from before the client attached. */
export type SessionNews = OutputChunk | { stream: "replayEnd" };

/** What becomes of the events of a session. */
export interface SessionHandlers {
  /** Called with each piece of output; absent, output is kept for iteration. */
  onOutput?: ((chunk: OutputChunk) => void | Promise<void>) | undefined;
  /** Called when the replay has been delivered. */
  onReplayEnd?: (() => void | Promise<void>) | undefined;
}

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

/** Creates the output of a connection, which can be paused. */
export function createSessionOutput(
  { onOutput, onReplayEnd }: SessionHandlers,
  { pause, resume }: { pause(): void; resume(): void },
): SessionOutput {
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

  async function pump(deliver: (chunk: OutputChunk) => void | Promise<void>): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      for (let news = take(); news !== undefined; news = take()) {
        await (news.stream === "replayEnd" ? onReplayEnd?.() : deliver(news));
      }
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
    if (onOutput !== undefined) void pump(onOutput);
    else if (discarding && !iterating) void pump(() => undefined);
    else if (ended && queue.length === 0) drained.resolve();
  }

  return {
    push(news) {
      if (discarding && !iterating && onOutput !== undefined) return;
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
      if (onOutput !== undefined) return;
      discarding = true;
      moveOn();
    },
    async *iterate() {
      if (onOutput !== undefined) {
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
          } else if (news.stream === "replayEnd") {
            await onReplayEnd?.();
          } else {
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
