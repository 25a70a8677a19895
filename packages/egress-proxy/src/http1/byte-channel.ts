import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { ChannelLostError } from "../http/channel-lost-error.ts";

export interface ByteChannelHooks {
  /** Called with each arrival and each drain. */
  onActivity(): void;
  /** Called once, when the socket is fully closed. */
  onClosed(): void;
  /** Called with the bytes of each arrival and of each write. */
  onPassed?(bytes: number): void;
}

interface PendingRead {
  resolve(bytes: Buffer | null): void;
  reject(failure: ChannelLostError): void;
}

const queuedBytesMax = 64 * 1024;

/**
 * Reads a socket on demand and writes with back-pressure.
 *
 * The socket is paused while about 64 KiB wait unread. At most one `read` may
 * be pending at a time.
 */
export class ByteChannel {
  readonly #socket: Duplex;
  #hooks: ByteChannelHooks;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #ended = false;
  #finished = false;
  #closed = false;
  #paused = false;
  #discarding = false;
  #received = 0;
  #failure: ChannelLostError | undefined;
  #readingStopped: ChannelLostError | undefined;
  #reader: PendingRead | undefined;
  #awaitsReadable: ((isReadable: boolean) => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  constructor(socket: Duplex, hooks: ByteChannelHooks) {
    this.#socket = socket;
    this.#hooks = hooks;
    socket.on("data", (bytes: Buffer) => {
      this.#hooks.onActivity();
      this.#hooks.onPassed?.(bytes.length);
      this.#arrive(bytes);
    });
    socket.on("drain", () => {
      this.#hooks.onActivity();
      this.#wakeAll();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#finishRead();
    });
    socket.on("finish", () => {
      this.#finished = true;
      this.#wakeAll();
    });
    socket.on("error", (cause) => this.#fail("the connection failed", cause));
    socket.on("close", () => {
      if (!this.#ended) this.#fail("the connection was closed");
      this.#closed = true;
      this.#finishRead();
      this.#wakeAll();
      this.#hooks.onClosed();
    });
    if (socket.destroyed) {
      this.#fail("the connection was closed");
      this.#closed = true;
    }
  }

  /** Replaces who is notified from now on. */
  attach(hooks: ByteChannelHooks): void {
    this.#hooks = hooks;
  }

  /** Whether bytes can still be written. */
  get writable(): boolean {
    return !this.#closed && this.#failure === undefined && this.#socket.writable;
  }

  /** Whether nothing has arrived or ended since the last read, so that the channel is fit for another exchange. */
  get quiet(): boolean {
    return this.writable && !this.#ended && this.#queue.length === 0;
  }

  /** Bytes that have arrived since the channel was made. */
  get received(): number {
    return this.#received;
  }

  /** Whether the other side has ended its sending side. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Returns what has arrived already, if anything. */
  take(): Buffer | undefined {
    const bytes = this.#queue.shift();
    if (bytes === undefined) return undefined;
    this.#queuedBytes -= bytes.length;
    if (this.#paused && this.#queuedBytes < queuedBytesMax) {
      this.#paused = false;
      this.#socket.resume();
    }
    return bytes;
  }

  /**
   * Resolves to the next bytes; null at the clean end.
   *
   * @throws {ChannelLostError}
   */
  read(): Promise<Buffer | null> {
    const bytes = this.take();
    if (bytes !== undefined) return Promise.resolve(bytes);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#finishRead();
    });
  }

  /**
   * Waits until bytes can be taken. Resolves to false when no more can arrive, and once the
   * channel was lost: what had arrived before is then nobody's request.
   */
  readable(): Promise<boolean> {
    if (this.#failure !== undefined || this.#closed) return Promise.resolve(false);
    if (this.#queue.length > 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#awaitsReadable = resolve;
      this.#finishRead();
    });
  }

  /** Takes exactly this many bytes, when they begin what has arrived in one piece. */
  takeExactly(count: number): Buffer | undefined {
    const [first] = this.#queue;
    if (first === undefined || first.length < count) return undefined;
    this.take();
    if (first.length > count) this.unread(first.subarray(count));
    return first.length > count ? first.subarray(0, count) : first;
  }

  /** Puts bytes back to be read next. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#queue.length === 0) this.#queue.push(bytes);
    else this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
  }

  /**
   * Writes bytes (a string is latin1). Returns a promise when the caller has to
   * wait before writing more. Does nothing once `writable` is false.
   */
  write(bytes: Buffer | string): Promise<void> | undefined {
    if (!this.writable) return undefined;
    this.#hooks.onPassed?.(bytes.length);
    const flowing =
      typeof bytes === "string" ? this.#socket.write(bytes, "latin1") : this.#socket.write(bytes);
    if (flowing) return undefined;
    return new Promise<void>((resolve) => this.#onceWritable(resolve));
  }

  /** Resolves once the other side has taken enough of what was written, or takes nothing any more. */
  async flowing(): Promise<void> {
    while (this.writable && this.#socket.writableNeedDrain) {
      await new Promise<void>((resolve) => this.#onceWritable(resolve));
    }
  }

  /** Makes the pending read, and each later one that finds nothing, fail. Writing continues. */
  stopReading(message: string): void {
    this.#readingStopped ??= new ChannelLostError(message);
    this.#finishRead();
  }

  /** Combines the writes up to the end of this turn of the event loop into one. */
  corkForThisTurn(): void {
    this.#socket.cork();
    process.nextTick(() => this.#socket.uncork());
  }

  /** Combines the writes made by `work` into one. */
  corked<Result>(work: () => Result): Result {
    this.#socket.cork();
    try {
      return work();
    } finally {
      this.#socket.uncork();
    }
  }

  /** Ends the sending side: nothing more will be written. */
  end(): void {
    if (this.writable) this.#socket.end();
  }

  /**
   * Sends what is written, ends the sending side and discards what still
   * arrives, so that the other side can read the response instead of being
   * reset while it sends (RFC 9112 §9.6). The socket is destroyed
   * `lingerMilliseconds` after the last byte was sent.
   */
  async lingeringClose(lingerMilliseconds: number): Promise<void> {
    this.#discarding = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#socket.resume();
    this.end();
    while (!this.#finished && !this.#closed && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#onceWritable(resolve));
    }
    const timer = setTimeout(() => this.#socket.destroy(), lingerMilliseconds);
    while (!this.#closed) await new Promise<void>((resolve) => this.#onceWritable(resolve));
    clearTimeout(timer);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Breaks the connection off in a way that the other side cannot take for a clean end. */
  reset(): void {
    const socket = this.#socket;
    if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
    else socket.destroy();
  }

  #arrive(bytes: Buffer): void {
    this.#received += bytes.length;
    if (this.#discarding) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(bytes);
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes >= queuedBytesMax) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#resolveReadable(true);
  }

  #resolveReadable(isReadable: boolean): void {
    const resolve = this.#awaitsReadable;
    this.#awaitsReadable = undefined;
    resolve?.(isReadable);
  }

  #onceWritable(resolve: () => void): void {
    this.#wakeWriters.push(resolve);
  }

  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new ChannelLostError(message, cause === undefined ? undefined : { cause });
    this.#finishRead();
    this.#wakeAll();
  }

  /** Finishes the pending read or wait when nothing more can arrive. */
  #finishRead(): void {
    const reader = this.#reader;
    const failure = this.#failure ?? this.#readingStopped;
    if (failure === undefined && !this.#ended) return;
    this.#resolveReadable(false);
    if (reader === undefined) return;
    this.#reader = undefined;
    if (failure !== undefined) reader.reject(failure);
    else reader.resolve(null);
  }

  #wakeAll(): void {
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }
}
