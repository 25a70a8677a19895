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
 * Returns what tells whether the peer has ended its side of the stream since, also before the rest
 * is read. What `node:http2` emits as the end is no proof: it also ends a stream that the peer
 * resets without an error (RFC 9113 §8.1), whose message may be cut short.
 */
export function watchEnd(stream: Http2Stream): () => boolean {
  let hasEnded = false;
  const push = stream.push;
  stream.push = (data: unknown, encoding?: BufferEncoding) => {
    // A reset closes the stream first.
    if (data === null && !stream.closed) hasEnded = true;
    return push.call(stream, data, encoding);
  };
  return () => hasEnded;
}

/**
 * Reads the body of one message from a stream on demand. What is not read fills
 * the stream's flow-control window, and then the sender waits.
 */
export class StreamReader implements IncomingBody {
  readonly #stream: Http2Stream;
  readonly #onActivity: () => void;
  readonly #overhead: FrameOverhead;
  readonly #hasEnded: () => boolean;
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

  /**
   * `hasEnded` tells whether the peer has ended its side, so that what ends is not cut short.
   * `readTrailers` returns the trailers once the body has ended; it may throw.
   */
  constructor(
    stream: Http2Stream,
    options: {
      readonly isEmpty: boolean;
      readonly onActivity: () => void;
      readonly overhead: FrameOverhead;
      readonly hasEnded: () => boolean;
      readonly readTrailers: () => readonly Field[];
    },
  ) {
    this.#stream = stream;
    this.#complete = options.isEmpty;
    this.#onActivity = options.onActivity;
    this.#overhead = options.overhead;
    this.#hasEnded = options.hasEnded;
    this.#readTrailers = options.readTrailers;
    // A stream that is never read does not close.
    if (options.isEmpty) stream.resume();
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

  takeWhole(): Buffer | undefined {
    const stream = this.#stream;
    if (this.#isFlowing || !this.#hasEnded() || this.#isLost) return undefined;
    const whole: Buffer | null = stream.read();
    if (whole === null) return undefined;
    this.#onActivity();
    this.#overhead.carry(whole.length);
    try {
      this.#trailers = this.#readTrailers();
    } catch (error) {
      // The next read fails.
      this.fail(error);
      return undefined;
    }
    this.#bytes = whole.length;
    this.#complete = true;
    this.#watch?.onData(whole);
    this.#watch?.onEnd();
    return whole;
  }

  /** Makes the pending read, and each later one that finds nothing, fail. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#finishRead();
  }

  get #isLost(): boolean {
    return this.#stream.destroyed || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR;
  }

  /** Not before the body is read: most are short, and taken whole. */
  #flow(): void {
    if (this.#isFlowing) return;
    this.#isFlowing = true;
    const stream = this.#stream;
    // What happened before has emitted its events.
    if (stream.readableEnded) this.#end();
    else if (stream.destroyed) this.fail(lost(stream.errored ?? undefined));
    stream.on("data", (part: Buffer) => this.#arrive(part));
    stream.on("end", () => this.#end());
    stream.on("error", (cause) => this.fail(lost(cause)));
    stream.on("close", () => {
      // An error is not made for each stream: it is expensive.
      if (!this.#ended) this.fail(lost());
    });
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
    if (this.#stream.rstCode === constants.NGHTTP2_NO_ERROR && this.#hasEnded()) this.#ended = true;
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
