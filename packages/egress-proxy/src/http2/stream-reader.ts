import { constants, type Http2Stream } from "node:http2";
import { ChannelLostError } from "../http/channel-lost-error.ts";
import type { Field } from "../http/fields.ts";
import type { BodyWatch, IncomingBody } from "../http/incoming-body.ts";
import type { FrameOverhead } from "./frame-overhead.ts";

interface PendingRead {
  resolve(data: readonly Buffer[] | null): void;
  reject(error: unknown): void;
}

const queuedBytesMax = 64 * 1024;

/**
 * Reads the body of one message from a stream on demand. What is not read fills
 * the stream's flow-control window, and then the sender waits.
 */
export class StreamReader implements IncomingBody {
  readonly #stream: Http2Stream;
  readonly #onActivity: () => void;
  readonly #overhead: FrameOverhead;
  readonly #readTrailers: () => readonly Field[];
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #bytes = 0;
  #isFlowing = false;
  #isPaused = false;
  #ended = false;
  #complete: boolean;
  #failure: unknown;
  #trailers: readonly Field[] = [];
  #reader: PendingRead | undefined;
  #watch: BodyWatch | undefined;

  /** `readTrailers` returns the trailers once the body has ended; it may throw. */
  constructor(
    stream: Http2Stream,
    options: {
      readonly isEmpty: boolean;
      readonly onActivity: () => void;
      readonly overhead: FrameOverhead;
      readonly readTrailers: () => readonly Field[];
    },
  ) {
    this.#stream = stream;
    this.#complete = options.isEmpty;
    this.#onActivity = options.onActivity;
    this.#overhead = options.overhead;
    this.#readTrailers = options.readTrailers;
    if (options.isEmpty) {
      // A stream that is never read does not close.
      stream.resume();
      return;
    }
    // One that was lost before now has emitted its last event.
    if (stream.destroyed) this.#failure = lost();
    stream.on("end", () => this.#end());
    stream.on("error", (cause) => this.fail(lost(cause)));
    stream.on("close", () => {
      // An error is not made for each stream: it is expensive.
      if (!this.#ended) this.fail(lost());
    });
  }

  get complete(): boolean {
    return this.#complete;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  watch(watch: BodyWatch): void {
    this.#watch = watch;
  }

  read(): Promise<readonly Buffer[] | null> {
    if (this.#complete) return Promise.resolve(null);
    this.#flow();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#finishRead();
    });
  }

  takeWhole(): undefined {
    return undefined;
  }

  /** Makes the pending read, and each later one that finds nothing, fail. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#finishRead();
  }

  #flow(): void {
    if (this.#isFlowing) return;
    this.#isFlowing = true;
    this.#stream.on("data", (part: Buffer) => this.#arrive(part));
  }

  #arrive(part: Buffer): void {
    this.#onActivity();
    this.#overhead.carry(part.length);
    this.#queue.push(part);
    this.#queuedBytes += part.length;
    if (this.#queuedBytes >= queuedBytesMax && this.#reader === undefined) {
      this.#isPaused = true;
      this.#stream.pause();
    }
    this.#finishRead();
  }

  #end(): void {
    // A stream that was reset ends, too.
    if (this.#stream.rstCode === constants.NGHTTP2_NO_ERROR) this.#ended = true;
    else this.#failure ??= lost();
    this.#finishRead();
  }

  #finishRead(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    if (this.#queue.length > 0) {
      this.#reader = undefined;
      reader.resolve(this.#takeQueue());
    } else if (this.#failure !== undefined && !this.#ended) {
      this.#reader = undefined;
      reader.reject(this.#failure);
    } else if (this.#ended) {
      this.#reader = undefined;
      this.#finish(reader);
    }
  }

  #finish(reader: PendingRead): void {
    try {
      this.#trailers = this.#readTrailers();
    } catch (error) {
      reader.reject(error);
      return;
    }
    this.#complete = true;
    this.#watch?.onEnd();
    reader.resolve(null);
  }

  #takeQueue(): readonly Buffer[] {
    const data = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#stream.resume();
    }
    for (const part of data) {
      this.#bytes += part.length;
      this.#watch?.onData(part);
    }
    return data;
  }
}

function lost(cause?: unknown): ChannelLostError {
  return new ChannelLostError("the stream was reset", cause === undefined ? undefined : { cause });
}
