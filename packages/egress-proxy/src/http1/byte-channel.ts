import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** The other end went away: a reset, an error, or a close without a clean end. */
export class ChannelLostError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ChannelLostError";
  }
}

export interface ByteChannelHooks {
  /** Called with each arrival and each drain: something moves. */
  onActivity(): void;
  /** Called once, when the socket is fully closed. */
  onClosed(): void;
}

interface PendingRead {
  resolve(octets: Buffer | null): void;
  reject(failure: ChannelLostError): void;
}

const queuedOctetsMax = 64 * 1024;

/**
 * Reads a socket by pulling and writes with back-pressure.
 *
 * At most about 64 KiB wait here unread; then the socket is paused. At most
 * one `read` may be pending at a time.
 */
export class ByteChannel {
  readonly #socket: Duplex;
  #queue: Buffer[] = [];
  #queuedOctets = 0;
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
  #wakeWriter: (() => void) | undefined;

  constructor(socket: Duplex, hooks: ByteChannelHooks) {
    this.#socket = socket;
    socket.on("data", (octets: Buffer) => {
      hooks.onActivity();
      this.#arrive(octets);
    });
    socket.on("drain", () => {
      hooks.onActivity();
      this.#wakeWriters();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#settleReader();
    });
    socket.on("finish", () => {
      this.#finished = true;
      this.#wakeWriters();
    });
    socket.on("error", (cause) => this.#fail("the connection failed", cause));
    socket.on("close", () => {
      if (!this.#ended) this.#fail("the connection was closed");
      this.#closed = true;
      this.#settleReader();
      this.#wakeWriters();
      hooks.onClosed();
    });
    if (socket.destroyed) {
      this.#fail("the connection was closed");
      this.#closed = true;
    }
  }

  /** Whether octets can still be written. */
  get writable(): boolean {
    return !this.#closed && this.#failure === undefined && this.#socket.writable;
  }

  /** Whether nothing has arrived or ended since the last read: fit for another exchange. */
  get quiet(): boolean {
    return this.writable && !this.#ended && this.#queue.length === 0;
  }

  /** Octets that have arrived since the beginning. */
  get received(): number {
    return this.#received;
  }

  /** The end of what the other side sends has arrived. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What has arrived already, if anything. */
  take(): Buffer | undefined {
    const octets = this.#queue.shift();
    if (octets === undefined) return undefined;
    this.#queuedOctets -= octets.length;
    if (this.#paused && this.#queuedOctets < queuedOctetsMax) {
      this.#paused = false;
      this.#socket.resume();
    }
    return octets;
  }

  /**
   * The next octets; null at the clean end.
   *
   * @throws {ChannelLostError}
   */
  read(): Promise<Buffer | null> {
    const octets = this.take();
    if (octets !== undefined) return Promise.resolve(octets);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#settleReader();
    });
  }

  /** Waits until there is something to take. False when nothing more can come. */
  readable(): Promise<boolean> {
    if (this.#queue.length > 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#awaitsReadable = resolve;
      this.#settleReader();
    });
  }

  /** Exactly this many octets, when they are the beginning of what has arrived in one piece. */
  takeExactly(count: number): Buffer | undefined {
    const [first] = this.#queue;
    if (first === undefined || first.length < count) return undefined;
    this.take();
    if (first.length > count) this.unread(first.subarray(count));
    return first.length > count ? first.subarray(0, count) : first;
  }

  /** Puts octets back to be read next. */
  unread(octets: Buffer): void {
    if (octets.length === 0) return;
    if (this.#queue.length === 0) this.#queue.push(octets);
    else this.#queue.unshift(octets);
    this.#queuedOctets += octets.length;
  }

  /**
   * Writes octets (a string is latin1). Answers a promise when the caller has
   * to wait before writing more. After a close it does nothing: `writable` tells.
   */
  write(octets: Buffer | string): Promise<void> | undefined {
    if (!this.writable) return undefined;
    const flowing =
      typeof octets === "string"
        ? this.#socket.write(octets, "latin1")
        : this.#socket.write(octets);
    if (flowing) return undefined;
    return new Promise<void>((resolve) => this.#onceWritable(resolve));
  }

  /** Makes the pending read, and each later one that finds nothing, fail. Writing goes on. */
  stopReading(message: string): void {
    this.#readingStopped ??= new ChannelLostError(message);
    this.#settleReader();
  }

  /** Gathers the writes up to the end of this turn of the event loop into one. */
  corkForThisTurn(): void {
    this.#socket.cork();
    process.nextTick(() => this.#socket.uncork());
  }

  /** Gathers the writes made by `work` into one. */
  corked<Result>(work: () => Result): Result {
    this.#socket.cork();
    try {
      return work();
    } finally {
      this.#socket.uncork();
    }
  }

  /** Says that nothing more will be written. */
  end(): void {
    if (this.writable) this.#socket.end();
  }

  /**
   * Sends what is written, ends the sending side and throws away what still
   * arrives, so that the other side can read the answer instead of being reset
   * while it sends (RFC 9112 §9.6). The other side has `lingerMilliseconds`
   * after the last octet is sent; then the socket is destroyed.
   */
  async lingeringClose(lingerMilliseconds: number): Promise<void> {
    this.#discarding = true;
    this.#queue = [];
    this.#queuedOctets = 0;
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

  /** Breaks off so that the other side cannot take it for a clean end. */
  reset(): void {
    const socket = this.#socket;
    if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
    else socket.destroy();
  }

  #arrive(octets: Buffer): void {
    this.#received += octets.length;
    if (this.#discarding) return;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve(octets);
      return;
    }
    this.#queue.push(octets);
    this.#queuedOctets += octets.length;
    if (this.#queuedOctets >= queuedOctetsMax) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#settleReadable(true);
  }

  #settleReadable(isReadable: boolean): void {
    const resolve = this.#awaitsReadable;
    this.#awaitsReadable = undefined;
    resolve?.(isReadable);
  }

  #onceWritable(resolve: () => void): void {
    const earlier = this.#wakeWriter;
    this.#wakeWriter = () => {
      earlier?.();
      resolve();
    };
  }

  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new ChannelLostError(message, cause === undefined ? undefined : { cause });
    this.#settleReader();
    this.#wakeWriters();
  }

  /** Ends the pending read or wait when nothing more can come. */
  #settleReader(): void {
    const reader = this.#reader;
    const failure = this.#failure ?? this.#readingStopped;
    if (failure === undefined && !this.#ended) return;
    this.#settleReadable(false);
    if (reader === undefined) return;
    this.#reader = undefined;
    if (failure !== undefined) reader.reject(failure);
    else reader.resolve(null);
  }

  #wakeWriters(): void {
    const wake = this.#wakeWriter;
    this.#wakeWriter = undefined;
    wake?.();
  }
}
